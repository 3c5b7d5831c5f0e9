"""What is in the images, and what they need: no root, no capability, nothing to write on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stack.engine import SERVICES, Credentials, DockerError, Stack, docker, image
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)

BARE = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")


def modules(service: str, *names: str) -> list[str]:
    """Those of these Python modules that an image has."""
    script = (
        "import importlib.util, json, sys;"
        "print(json.dumps([n for n in sys.argv[1:] if importlib.util.find_spec(n)]))"
    )
    told = docker("run", "--rm", "--entrypoint=python", image(service), "-c", script, *names)
    found: list[str] = json.loads(told)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_starts_as_anybody_with_nothing(images: None, service: str) -> None:
    told = docker("run", "--rm", *BARE, "--user=23456:0", image(service), service, "--help")
    assert f"facestream {service}" in told


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_is_not_root_and_installs_nothing(images: None, service: str) -> None:
    config = json.loads(docker("inspect", image(service)))[0]["Config"]
    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]
    assert config["Labels"]["org.opencontainers.image.title"] == f"facestream-{service}"
    assert modules(service, "pip", "setuptools") == []
    look = "command -v pip gcc cc curl; true"
    programs = docker("run", "--rm", "--entrypoint=sh", image(service), "-c", look)
    assert programs == ""


@pytest.mark.parametrize(
    ("service", "has"),
    [
        ("producer", []),
        ("viewer", []),
        ("worker", ["onnxruntime"]),
        ("identifier", ["onnxruntime"]),
    ],
)
def test_only_who_runs_models_carries_their_runtime(
    images: None, service: str, has: list[str]
) -> None:
    assert modules(service, "onnxruntime") == has


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_worker_carries_models(images: None, service: str) -> None:
    told = docker(
        *("run", "--rm", "--entrypoint=python", image(service), "-c"),
        "import pathlib; found = pathlib.Path('/').glob('opt/**/*.onnx');"
        "print(sum(path.stat().st_size > 500_000 for path in found))",
    )
    assert (int(told) > 0) == (service == "worker")


@pytest.mark.parametrize("service", SERVICES)
def test_every_image_can_make_the_topics(images: None, service: str) -> None:
    assert "facestream topics" in docker("run", "--rm", image(service), "topics", "--help")


def test_a_wrong_setting_ends_a_container_with_one_line(images: None) -> None:
    with pytest.raises(DockerError, match=r"METRICS_PORT='x': [^\n]*$"):
        docker("run", "--rm", "--env=METRICS_PORT=x", image("viewer"))


def test_without_credentials_nothing_starts_and_it_says_which_is_missing(
    engine: None, tmp_path: Path
) -> None:
    given = Credentials.make(tmp_path)
    lines = given.env_file.read_text().splitlines()
    for variable in (
        "POSTGRES_PASSWORD_FILE",
        "DATABASE_URL_FILE",
        "API_TOKEN_FILE",
        "PRODUCER_TOKEN_FILE",
        "INGEST_TOKEN_FILE",
        "VIEWER_PASSWORD_HASH_FILE",
    ):
        given.env_file.write_text("\n".join(x for x in lines if not x.startswith(variable)))
        with pytest.raises(DockerError, match=f"{variable} is missing a value: run deploy/init"):
            Stack("facestream-test-none", ("docker-compose.yml",), given).up()


def test_containers_run_locked_down(demo: Stack) -> None:
    for service in SERVICES:
        found = demo.inspect(service)
        host, config = found["HostConfig"], found["Config"]
        assert isinstance(host, dict)
        assert isinstance(config, dict)
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert any("no-new-privileges" in option for option in host["SecurityOpt"]), service
        status = demo.compose("exec", "-T", service, "cat", "/proc/1/status")
        assert "CapEff:\t0000000000000000" in status, service
        assert "Uid:\t10001" in status, service


def test_a_service_runs_under_another_uid(demo: Stack) -> None:
    container = docker(
        *("run", "--detach", *BARE, "--user=23456:0", f"--network={demo.project}_stream"),
        *("--env=KAFKA_BOOTSTRAP_SERVERS=kafka:9092", image("worker")),
    )
    try:
        eventually(
            lambda: docker("inspect", "--format={{.State.Health.Status}}", container) == "healthy",
            90,
            "the worker, healthy",
        )
        assert docker("exec", container, "id", "-u") == "23456"
    finally:
        docker("rm", "--force", container)
