"""What can be said of the deployment without an engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

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
