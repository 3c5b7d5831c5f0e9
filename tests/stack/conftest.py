"""Real stacks of real containers; only where FACESTREAM_STACK_TESTS=1 asks for them.

With `-n 2` two processes share the work; tests/scheduling.py says how.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from services.locks import only_one
from tests.stack.engine import Credentials, Stack, engine_answers, stack


def _alone(what: str) -> AbstractContextManager[None]:
    """While the block runs, no other process starts an engine or builds an image."""
    return only_one(Path(tempfile.gettempdir()) / "facestream-stack.lock", what)


@pytest.fixture(scope="session")
def engine() -> None:
    """An engine; FACESTREAM_CONTAINERS_UP is the command that starts one where none runs."""
    if os.environ.get("FACESTREAM_STACK_TESTS") != "1":
        pytest.skip("FACESTREAM_STACK_TESTS=1 runs the tests on a Docker engine")
    command = os.environ.get("FACESTREAM_CONTAINERS_UP")
    with _alone("starts an engine"):
        if not engine_answers() and command:
            subprocess.run(shlex.split(command), check=True, timeout=1_800)
    if not engine_answers():
        pytest.fail("no Docker engine with compose answers", pytrace=False)


@pytest.fixture(scope="session")
def images(engine: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every image, built from this working tree; layers that are there already are used."""
    credentials = Credentials.make(tmp_path_factory.mktemp("build"))
    base = Stack("facestream-test-build", ("docker-compose.yml",), credentials)
    with _alone("builds images"):
        base.compose("build", "--quiet")
        Stack(base.project, (*base.files, "compose.demo.yml"), credentials).compose(
            "build", "--quiet", "producer"
        )


@pytest.fixture(scope="session")
def demo(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack on sample footage, ready, and slow enough to keep up with."""
    folder = tmp_path_factory.mktemp("demo")
    with stack(folder, ["compose.demo.yml"], FPS="3", MAX_FRAME_AGE_S="0") as made:
        made.up()
        yield made
