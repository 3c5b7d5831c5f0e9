"""Real stacks of real containers; only where FACESTREAM_STACK_TESTS=1 asks for them."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.locks import only_one
from tests.stack.engine import Credentials, Stack, engine_answers, stack


@pytest.fixture(scope="session")
def engine() -> Iterator[None]:
    """An engine; FACESTREAM_CONTAINERS_UP is the command that starts one where none runs."""
    if os.environ.get("FACESTREAM_STACK_TESTS") != "1":
        pytest.skip("FACESTREAM_STACK_TESTS=1 runs the tests on a Docker engine")
    command = os.environ.get("FACESTREAM_CONTAINERS_UP")
    with only_one(Path(tempfile.gettempdir()) / "facestream-stack.lock", "tests a stack"):
        if not engine_answers() and command:
            subprocess.run(shlex.split(command), check=True, timeout=1_800)
        if not engine_answers():
            pytest.fail("no Docker engine with compose answers", pytrace=False)
        yield


@pytest.fixture(scope="session")
def images(engine: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every image, built from this working tree; layers that are there already are used."""
    credentials = Credentials.make(tmp_path_factory.mktemp("build"))
    base = Stack("facestream-test-build", ("docker-compose.yml",), credentials)
    base.compose("build", "--quiet")
    Stack(base.project, (*base.files, "compose.demo.yml"), credentials).compose(
        "build", "--quiet", "producer"
    )


@pytest.fixture(scope="module")
def demo(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack on sample footage, ready, and slow enough to keep up with."""
    folder = tmp_path_factory.mktemp("demo")
    with stack(folder, ["compose.demo.yml"], FPS="5", MAX_FRAME_AGE_S="0") as made:
        made.up()
        yield made
