"""The whole autoscaler as a process, on a real Kafka; only the containers are made up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autoscaler.settings import AutoscalerSettings
from tests.member import Member, MemberSettings
from tests.unit.autoscaler.engine import FakeEngine, fake_engine
from tests.waiting import eventually

pytestmark = pytest.mark.kafka

RUN = "import sys; from autoscaler.main import main; sys.exit(main([]))"


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    pytest.importorskip("docker", reason="facestream[autoscaler] brings Docker's SDK")
    with fake_engine() as made:
        yield made


@contextmanager
def autoscaler(
    settings: AutoscalerSettings, engine: FakeEngine, log: Path, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The process, which does not outlive the test."""
    names = ("kafka_bootstrap_servers", "topic_raw", "topic_status", "worker_group")
    env = {name.upper(): str(getattr(settings, name)) for name in names}
    env |= {"DOCKER_HOST": engine.host, "LOOK_EVERY_S": "0.5", "LOG_FORMAT": "json"}
    env |= {"KAFKA_SESSION_TIMEOUT_MS": "6000", "COOL_DOWN_UP_S": "2", "COOL_DOWN_DOWN_S": "4"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN], env=os.environ | env | more, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(60)


def ended(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(20)


def test_a_burst_brings_workers_quiet_lets_them_go_and_sigterm_leaves_them(
    settings: AutoscalerSettings,
    engine: FakeEngine,
    member: Callable[[int], MemberSettings],
    write: Callable[[int], None],
    tmp_path: Path,
) -> None:
    first = engine.add(1)
    log = tmp_path / "log"
    with autoscaler(settings, engine, log) as process, Member(member(20)):
        eventually(lambda: '"watching"' in log.read_text(), 60, "it watches")

        def more() -> bool:
            write(40)
            return len(engine.names) > 2

        eventually(more, 60, "more workers at once")
        assert not any("Killed" in each for each in engine.containers.values())

        def fewer() -> bool:
            for container, found in list(engine.containers.items()):
                if "Killed" in found:
                    engine.end(container)
            return engine.names == ["facestream-worker-1"]

        eventually(fewer, 90, "quiet")
        assert ended(process) == 0
    assert engine.status(first) == "running"
    assert "Killed" not in engine.containers[first]
    assert '"event": "number of workers changes"' in log.read_text()


def test_on_paper_a_burst_changes_nothing(
    settings: AutoscalerSettings,
    engine: FakeEngine,
    member: Callable[[int], MemberSettings],
    write: Callable[[int], None],
    tmp_path: Path,
) -> None:
    engine.add(1)
    log = tmp_path / "log"
    with autoscaler(settings, engine, log, DRY_RUN="true") as process, Member(member(20)):
        eventually(lambda: '"watching"' in log.read_text(), 60, "it watches")

        def said() -> bool:
            write(40)
            return "would be started" in log.read_text()

        eventually(said, 60, "it says what it would do")
        assert ended(process) == 0
    assert engine.names == ["facestream-worker-1"]


def test_without_an_engine_it_ends_with_one_line(
    settings: AutoscalerSettings, engine: FakeEngine, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with autoscaler(settings, engine, log, DOCKER_HOST="tcp://127.0.0.1:9") as process:
        assert process.wait(30) != 0
    assert "no Docker engine at DOCKER_HOST=tcp://127.0.0.1:9" in log.read_text()
