"""A child process ends when it is told to, when it must, and when its parent does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.broker.process import ChildProcess, free_ports
from tests.waiting import eventually

STUBBORN = "trap '' TERM; echo ready; while true; do sleep 0.1; done"
PARENT = """
import sys, time
from pathlib import Path
from services.broker.process import ChildProcess
child = ChildProcess(["sh", "-c", sys.argv[2]], Path(sys.argv[1]), stop_timeout_s=0.5)
print(child.pid, flush=True)
time.sleep(600)
"""


def alive(process: int) -> bool:
    """Whether it runs; one that has ended and waits to be collected does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_it_is_stopped_with_sigterm(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "trap 'echo asked; exit 0' TERM; echo ready; while true; do sleep 0.05; done"
    child = ChildProcess(["sh", "-c", script], log, stop_timeout_s=20)
    eventually(lambda: "ready" in log.read_text(), 60)
    child.stop()
    assert not child.running
    assert not alive(child.pid)
    assert log.read_text() == "ready\nasked\n"


def test_one_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    child = ChildProcess(["sh", "-c", STUBBORN], tmp_path / "log", stop_timeout_s=0.2)
    eventually(lambda: "ready" in (tmp_path / "log").read_text(), 60)
    child.stop()
    assert not alive(child.pid)


def test_a_second_stop_does_nothing(tmp_path: Path) -> None:
    child = ChildProcess(["sleep", "600"], tmp_path / "log", stop_timeout_s=5)
    child.stop()
    child.stop()
    child.kill()


def test_it_is_seen_to_end_by_itself(tmp_path: Path) -> None:
    child = ChildProcess(["true"], tmp_path / "log", stop_timeout_s=5)
    eventually(lambda: not child.running, 60)
    child.stop()


def test_kill_is_a_crash(tmp_path: Path) -> None:
    script = "trap 'echo asked; exit 0' TERM; echo ready; while true; do sleep 0.05; done"
    child = ChildProcess(["sh", "-c", script], tmp_path / "log", stop_timeout_s=5)
    eventually(lambda: "ready" in (tmp_path / "log").read_text(), 60)
    child.kill()
    assert not alive(child.pid)
    assert "asked" not in (tmp_path / "log").read_text()


def test_ctrl_c_on_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    child = ChildProcess(["sleep", "600"], tmp_path / "log", stop_timeout_s=5)
    try:
        assert os.getsid(child.pid) != os.getsid(0)
    finally:
        child.stop()


@pytest.mark.parametrize("script", ["exec sleep 600", STUBBORN], ids=["docile", "stubborn"])
def test_it_dies_when_its_parent_is_killed(tmp_path: Path, script: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log"), script],
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.send_signal(signal.SIGKILL)
    eventually(lambda: not alive(child), 60, "the child has ended")


def test_free_ports_differ_and_can_be_listened_on() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def test_stopping_one_does_not_wait_for_another(tmp_path: Path) -> None:
    children = [
        ChildProcess(["sh", "-c", STUBBORN], tmp_path / f"{number}", stop_timeout_s=4)
        for number in range(3)
    ]
    started_s = time.monotonic()
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.stop()
    assert time.monotonic() - started_s < 11
