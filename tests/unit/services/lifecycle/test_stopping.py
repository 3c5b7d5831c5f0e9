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
from tests.waiting import eventually

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
        thread.join(10)
    assert woken == [True] * 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_hears_its_signals_whatever_it_is_doing(number: signal.Signals) -> None:
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", _LOOP], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, number)
        assert process.stdout.read() == "ended\n"
        assert process.wait(10) == 0
        process.stdout.close()


def test_a_signal_that_interrupts_the_wait_itself_does_not_lock_up() -> None:
    stop = StopSignal()
    heard: list[int] = []

    def handle(number: int, frame: object) -> None:
        heard.append(number)
        stop.stop()

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.000_1)
        assert stop.wait(20)
        eventually(lambda: len(heard) > 200, 20, "signals while waiting")
        for _ in range(1_000):
            assert stop.wait(0.01)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
