"""Two versions of the code side by side: each reads what the other wrote."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.conftest import ROOT, require_or_skip
from tests.stack.engine import PREFIX, SERVICES, TAG, Stack, docker, stack
from tests.stack.test_backup import ASK
from tests.stack.test_demo import all_go_on, members, names_everybody, only_once
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)

# The newest commit whose images people may already run; every release moves it.
OLDER = "751c972a988a638ff00ad5f1b3a1355d907eccb3"


# Whose image a service runs.
IMAGES = {service: service for service in SERVICES} | {
    "producer": "demo",
    "topics": "viewer",
    "models": "worker",
}


@dataclass(frozen=True, slots=True)
class Mix:
    """One installation with images of two versions.

    Attributes:
        stack: all of it, by the older version's compose files.
        folder: where override files are written.
    """

    stack: Stack
    folder: Path

    def with_newer(self, *services: str) -> Stack:
        """The same installation by today's compose files; `services` run today's images."""
        return self._by({name: {"image": f"{PREFIX}/{IMAGES[name]}:{TAG}"} for name in services})

    def with_newer_beside(self) -> Stack:
        """The same; a service `worker-newer` runs today's image, and every other the older one."""
        base = str(ROOT / "deploy" / "docker-compose.yml")
        worker = {"extends": {"file": base, "service": "worker"}, "image": f"{PREFIX}/worker:{TAG}"}
        return self._by({"worker-newer": worker})

    def _by(self, services: Mapping[str, object]) -> Stack:
        override = self.folder / f"{'-'.join(services)}.json"  # YAML, too
        override.write_text(json.dumps({"services": services}), encoding="utf-8")
        files = ("docker-compose.yml", "compose.demo.yml", str(override))
        return replace(self.stack, files=files)


@pytest.fixture(scope="module")
def older(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compose files of the older version, in its code."""
    folder = tmp_path_factory.mktemp("older")
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", OLDER], capture_output=True, check=False
    )
    require_or_skip(archive.returncode == 0, f"this checkout has no commit {OLDER}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tree:
        tree.extractall(folder, filter="data")
    return folder / "deploy"


@pytest.fixture(scope="module")
def mix(images: None, older: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mix]:
    """An installation of the older version that has seen people."""
    folder = tmp_path_factory.mktemp("mix")
    base, demo = str(older / "docker-compose.yml"), str(older / "compose.demo.yml")
    with stack(folder, [demo], base, FPS="3", MAX_FRAME_AGE_S="0", IMAGE_TAG="older") as made:
        made.compose("build", "--quiet")
        made.up()
        names_everybody(made)
        yield Mix(made, folder)


def sightings(stack: Stack) -> set[str]:
    """Ids of what is remembered."""
    answer = json.loads(stack.python(ASK, "sightings?limit=500"))
    return {each["id"] for each in answer["sightings"]}


def goes_on(stack: Stack) -> None:
    """Wait until there are newer frames of every camera, and the right names on them."""
    now = stack.get("/api/state.json").json()["now"]
    eventually(lambda: all_go_on(stack, now), 120, "new frames of every camera")
    names_everybody(stack)


def test_workers_of_two_versions_share_one_camera_and_the_older_identifier_reads_both(
    mix: Mix,
) -> None:
    both = mix.with_newer_beside()
    both.up("--no-deps", "worker", "worker-newer")
    eventually(lambda: sorted(members(both).values()) == [3, 3], 60, "three partitions each")
    goes_on(both)
    both.compose("stop", "worker")
    eventually(lambda: list(members(both).values()) == [6], 60, "the newer one has all")
    goes_on(both)
    both.compose("start", "worker")
    both.compose("rm", "--stop", "--force", "worker-newer")
    only_once(both)


def test_the_newer_identifier_and_page_read_what_the_older_worker_writes(mix: Mix) -> None:
    before = sightings(mix.stack)
    assert before
    newer = mix.with_newer("identifier", "viewer")
    newer.up("--no-deps", "identifier", "viewer")
    goes_on(newer)
    assert before <= sightings(newer), "what was remembered is remembered still"


def test_an_upgrade_of_everything_goes_on_where_it_was(mix: Mix) -> None:
    before = sightings(mix.stack)
    newer = mix.with_newer(*IMAGES)
    newer.up()
    for service in SERVICES:
        (container,) = newer.containers(service)
        runs = docker("inspect", "--format", "{{.Config.Image}}", container)
        assert runs == f"{PREFIX}/{IMAGES[service]}:{TAG}"
    goes_on(newer)
    assert before <= sightings(newer)
