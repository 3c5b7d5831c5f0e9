"""The wish to stop: from any thread, from a signal, at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from services.lifecycle.stopping import StopSignal

_LOOP = """
import sys
from services.lifecycle.stopping import StopSignal, install_signal_handlers
stop = StopSignal()
install_signal_handlers(stop)
print("ready", flush=True)
while not stop.wait(0.0001):
    pass
print("ended", flush=True)
"""

# Each alarm sets the next, so that a slow machine hears them one after the other.
_INTERRUPTED = """
import signal
from services.lifecycle.stopping import StopSignal
stop = StopSignal()
heard = 0
def handle(number, frame):
    global heard
    heard += 1
    stop.stop()
    signal.setitimer(signal.ITIMER_REAL, 0.0002)
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.05)
assert stop.wait(20)
while heard < 500:
    assert stop.wait(0.01)
signal.setitimer(signal.ITIMER_REAL, 0)
print("ended")
"""


def test_it_is_set_once_and_stays() -> None:
    stop = StopSignal()
    before = [stop.stopped, stop.wait(0)]
    stop.stop()
    stop.stop()
    assert [*before, stop.stopped, stop.wait(0)] == [False, False, True, True]
    assert stop.wait()
    assert stop.wait(-1)


def test_a_wait_ends_after_its_time() -> None:
    started = time.monotonic()
    assert StopSignal().wait(0.05) is False
    assert time.monotonic() - started >= 0.05
    assert StopSignal().wait(-1) is False


def test_every_thread_that_waits_is_woken() -> None:
    stop = StopSignal()
    woken: list[bool] = []
    threads = [threading.Thread(target=lambda: woken.append(stop.wait(30))) for _ in range(5)]
    for thread in threads:
        thread.start()
    stop.stop()
    for thread in threads:
        thread.join(60)
    assert woken == [True] * 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_hears_its_signals_whatever_it_is_doing(number: signal.Signals) -> None:
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", _LOOP], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, number)
        assert process.stdout.read() == "ended\n"
        assert process.wait(60) == 0
        process.stdout.close()


def test_a_signal_that_interrupts_the_wait_itself_does_not_lock_up() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "ended\n", "")


def test_a_second_ctrl_c_does_not_wait() -> None:
    busy = _LOOP + "while True:\n    stop.wait(1)\n"
    process = subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "ended\n"  # the first is heard, and work goes on
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT
