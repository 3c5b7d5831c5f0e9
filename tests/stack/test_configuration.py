"""What can be said of the deployment without an engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.conftest import ROOT, require_or_skip
from tests.stack.engine import Credentials

DEPLOY = ROOT / "deploy"
COMPOSE_FILES = sorted(DEPLOY.glob("*.yml"))


def test_the_lock_of_every_image_is_what_its_service_imports() -> None:
    done = subprocess.run(
        [sys.executable, str(DEPLOY / "docker" / "locks.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_knob_has_its_default_in_the_example() -> None:
    known = set(re.findall(r"^#?([A-Z][A-Z_]*)=", (DEPLOY / ".env.example").read_text(), re.M))
    used = {
        name
        for file in COMPOSE_FILES
        for name in re.findall(r"\$\{([A-Z_]+)", file.read_text(encoding="utf-8"))
    }
    assert used - known == set()


def test_an_example_says_what_the_compose_file_says() -> None:
    example = dict(
        line.split("=", 1)
        for line in (DEPLOY / ".env.example").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    for file in COMPOSE_FILES:
        for name, default in re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", file.read_text()):
            assert example[name] == default, f"{name} in {file.name}"


@pytest.mark.parametrize(
    "path", sorted((DEPLOY / "docker").glob("*.Dockerfile")), ids=lambda p: p.name
)
def test_a_dockerfile_needs_nothing_that_old_or_closed_off_builders_lack(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.startswith("# syntax")
    assert "@sha256" not in text
    assert "COPY --link" not in text
    assert re.search(r"^USER 10001:10001$", text, re.M)
    assert re.search(r"^HEALTHCHECK", text, re.M)


def test_the_lock_for_gpus_differs_from_the_worker_s_in_the_runtime_alone() -> None:
    def pins(name: str) -> set[str]:
        text = (DEPLOY / "docker" / name).read_text(encoding="utf-8")
        return set(re.findall(r"^([a-z0-9._-]+==[^ ]+) (?!; python_full_version >)", text, re.M))

    assert {pin.split("==")[0] for pin in pins("worker.txt") - pins("worker-gpu.txt")} == {
        "onnxruntime"
    }
    rest = {pin.split("==")[0] for pin in pins("worker-gpu.txt") - pins("worker.txt")}
    assert {name for name in rest if not name.startswith("nvidia-")} == {"onnxruntime-gpu"}


def init(folder: Path) -> str:
    """What deploy/init prints in a copy of the folder; with a hash there, it needs no engine."""
    done = subprocess.run(
        [str(folder / "init")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def installed(folder: Path) -> dict[str, str]:
    """Every credential of an installation, and what its .env says."""
    files = (folder / ".env", *(folder / "secrets").iterdir())
    return {file.name: file.read_text(encoding="utf-8") for file in files}


def test_init_run_again_makes_only_what_an_older_version_did_not_know(tmp_path: Path) -> None:
    for name in ("init", ".env.example"):
        shutil.copy(DEPLOY / name, tmp_path)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "viewer_password_hash.txt").write_text("$argon2id$hash")
    init(tmp_path)
    new = installed(tmp_path)
    assert re.fullmatch(r"[A-Za-z0-9]{40}", new["producer_token.txt"])
    assert new["producer_token.txt"] != new["api_token.txt"]
    (tmp_path / "secrets" / "producer_token.txt").unlink()
    named = "PRODUCER_TOKEN_FILE=./secrets/producer_token.txt\n"
    own = new[".env"].replace(named, "").replace("VIEWER_USERS=false", "VIEWER_USERS=true")
    (tmp_path / ".env").write_text(own.rstrip("\n"))
    told = init(tmp_path)
    assert told.splitlines() == [
        "added PRODUCER_TOKEN_FILE to deploy/.env",
        "made deploy/secrets/producer_token.txt",
    ]
    again = installed(tmp_path)
    assert again[".env"] == own + named
    same = again.keys() - {".env", "producer_token.txt"}
    assert {name: again[name] for name in same} == {name: new[name] for name in same}
    assert init(tmp_path) == ""
    assert installed(tmp_path) == again


def test_only_who_needs_the_token_that_is_good_for_everything_is_given_it() -> None:
    services = (
        (DEPLOY / "docker-compose.yml").read_text(encoding="utf-8").partition("\nservices:")[2]
    )
    given = {
        name: set(re.findall(r"/run/secrets/(\w+_token)$", block, re.M))
        | set(re.findall(r"\w+_token\b", "".join(re.findall(r"^    secrets: .*$", block, re.M))))
        for name, block in re.findall(r"^  (\w+):\n((?:    .*\n|\n|  #.*\n)+)", services, re.M)
    }
    assert given["identifier"] == {"api_token", "producer_token"}
    assert given["producer"] == {"producer_token", "ingest_token"}
    assert {name for name, tokens in given.items() if "api_token" in tokens} == {
        "identifier",
        "viewer",
    }


OTHERS = ("cluster", "monitoring", "autoscaler")


def files_of(*others: str) -> list[str]:
    """The compose files of an installation with TLS and other overrides."""
    names = ["docker-compose", *(f"compose.{each}" for each in others), "compose.tls"]
    return [f"{name}.yml" for name in (*names, *(f"compose.tls.{each}" for each in others))]


def resolved(folder: Path, files: list[str]) -> dict[str, Any]:
    """The services, as compose understands the files."""
    require_or_skip(shutil.which("docker") is not None, "no docker command; it needs no engine")
    named = [part for file in files for part in ("--file", str(DEPLOY / file))]
    env_file = Credentials.make(folder).env_file
    done = subprocess.run(
        ["docker", "compose", *named, "--env-file", str(env_file), "config", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    no_compose = "is not a docker command" in done.stderr or "unknown flag: --file" in done.stderr
    require_or_skip(not no_compose, "docker has no compose")
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = json.loads(done.stdout)["services"]
    return services


@pytest.mark.parametrize("others", [(), *((each,) for each in OTHERS), OTHERS], ids="+".join)
def test_with_tls_whoever_listens_has_a_certificate_and_whoever_asks_knows_the_authority(
    others: tuple[str, ...], tmp_path: Path
) -> None:
    services = resolved(tmp_path, files_of(*others))
    ours = {"worker", "producer", "identifier", "viewer", "autoscaler"} & services.keys()
    for name in ours:
        env = services[name]["environment"]
        mounted = {Path(each["target"]).name: each["source"] for each in services[name]["secrets"]}
        assert env["KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
        whose = "viewer_metrics" if name == "viewer" else name
        assert (mounted["certificate"], mounted["key"]) == (f"{whose}_certificate", f"{whose}_key")
        used = {value for key, value in env.items() if key.endswith(("_CERT", "_TLS_KEY", "_CA"))}
        assert {value.removeprefix("/run/secrets/") for value in used} <= mounted.keys()
        assert "METRICS_TLS_CERT" in env
        addresses = {key: value for key, value in env.items() if key.endswith("_URL") and value}
        for key in ("IDENTIFIER_URL", "INGEST_URL"):
            if key in addresses:
                assert addresses[key].startswith("https://")
                assert env[key.replace("_URL", "_CA")] == "/run/secrets/ca"
    assert services["identifier"]["environment"]["API_TLS_CERT"]
    assert services["producer"]["environment"]["INGEST_TLS_CERT"]
    assert services["viewer"]["environment"]["VIEWER_TLS_CERT"]
    assert services["topics"]["environment"]["KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"


@pytest.mark.parametrize("others", [(), ("cluster",)], ids=["one", "three"])
def test_with_tls_a_broker_listens_in_plain_text_to_its_own_container_alone(
    others: tuple[str, ...], tmp_path: Path
) -> None:
    services = resolved(tmp_path, files_of(*others))
    brokers = [name for name in services if re.fullmatch(r"kafka(-\d)?", name)]
    assert len(brokers) == (3 if others else 1)
    for name in brokers:
        env = services[name]["environment"]
        protocols = dict(
            pair.split(":") for pair in env["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
        )
        listeners = dict(each.split("://") for each in env["KAFKA_LISTENERS"].split(","))
        assert listeners.keys() == protocols.keys()
        plain = {listener for listener, protocol in protocols.items() if protocol == "PLAINTEXT"}
        assert plain == {"ADMIN"}
        assert listeners["ADMIN"].startswith("127.0.0.1:")
        advertised = dict(
            each.split("://") for each in env["KAFKA_ADVERTISED_LISTENERS"].split(",")
        )
        assert advertised["CLIENT"] == f"{name}:9092"
        between = env["KAFKA_INTER_BROKER_LISTENER_NAME"]
        if others:
            assert protocols[between] == "SSL"
            assert env[f"KAFKA_LISTENER_NAME_{between}_SSL_CLIENT_AUTH"] == "required"
            assert advertised[between].startswith(f"{name}:")
        assert env["KAFKA_LISTENER_NAME_CONTROLLER_SSL_CLIENT_AUTH"] == "required"


def test_prometheus_asks_the_same_over_https_as_without() -> None:
    def written(name: str) -> str:
        text = (DEPLOY / "monitoring" / name).read_text(encoding="utf-8")
        return re.sub(r"^#.*\n", "", text, flags=re.M)

    own = re.compile(
        r"^    scheme: https\n    tls_config: {ca_file: /run/secrets/ca, server_name: (.*)}\n", re.M
    )
    plain, secured = written("prometheus.yml"), written("prometheus.tls.yml")
    assert own.sub("", secured) == plain
    jobs = re.findall(r"^  - job_name: (.*)$", plain, re.M)
    assert own.findall(secured) == [job.replace("kafka", "kafka-exporter") for job in jobs]


def certificates(folder: Path, *names: str) -> dict[str, bytes]:
    """What `deploy/tls NAME...` leaves in a folder; the counter of the authority aside."""
    (folder / "database_url.txt").write_text("postgresql://facestream:secret@postgres/facestream")
    subprocess.run(
        [str(DEPLOY / "tls"), *names],
        env=os.environ | {"SECRETS_DIR": str(folder)},
        check=True,
        capture_output=True,
    )
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "ca.srl"]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_an_installation_that_has_certificates_gets_the_missing_ones_alone(tmp_path: Path) -> None:
    first = certificates(tmp_path, "cams.home", "192.168.1.10")
    older = {"ca", "kafka", "postgres", "viewer"}
    for file in (tmp_path / "tls").iterdir():
        if file.name.split(".")[0] not in older:
            file.unlink()
    (tmp_path / "kafka_exporter_flags.txt").unlink()
    again = certificates(tmp_path)
    assert again.keys() == first.keys()
    same = {name for name in first if again[name] == first[name]}
    assert {name for name in first if name.partition("/")[2].split(".")[0] in older} <= same
    assert {"kafka_password.txt", "kafka_exporter_flags.txt", "database_url_tls.txt"} <= same
    assert again["tls/worker.pem"] != first["tls/worker.pem"]


def test_every_certificate_is_for_its_container_and_brokers_alone_show_theirs(
    tmp_path: Path,
) -> None:
    made = certificates(tmp_path, "cams.home", "192.168.1.10")
    authority = x509.load_pem_x509_certificate(made["tls/ca.pem"])
    names: dict[str, set[str]] = {}
    for file, data in made.items():
        if not re.fullmatch(r"tls/(?!ca)[a-z-]+\.pem", file):
            continue
        certificate = x509.load_pem_x509_certificate(data)
        certificate.verify_directly_issued_by(authority)
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        what = Path(file).stem
        names[what] = {str(name.value) for name in found.value}
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert (ExtendedKeyUsageOID.CLIENT_AUTH in uses) == (what == "kafka")
        assert ExtendedKeyUsageOID.SERVER_AUTH in uses
    assert {"kafka", "kafka-2", "kafka-3"} <= names["kafka"]
    for each in ("identifier", "producer", "worker", "autoscaler", "prometheus", "kafka-exporter"):
        assert each in names[each]
        others = {"identifier", "producer", "worker", "viewer"} - {each}
        assert not names[each] & others, "nobody can pass for another"
    assert "viewer" in names["viewer-metrics"]
    assert {"localhost", "cams.home", "192.168.1.10"} <= names["viewer"] & names["grafana"]
