"""A producer with companions: it waits for what comes, and ends of what cannot be mended."""

from __future__ import annotations

import threading

import pytest

from producer.fleet import Fleet, Publishers
from producer.progress import Progress
from services.errors import BrokerError
from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal
from tests.waiting import eventually


class Guest:
    """Brings no camera; `trouble` is what it ends of."""

    def __init__(self, trouble: BaseException | None = None) -> None:
        self.told: list[str] = []
        self._trouble = trouble

    def start(self) -> None:
        self.told.append("start")

    def look(self) -> None:
        self.told.append("look")
        if self._trouble is not None:
            raise self._trouble

    def close(self) -> None:
        self.told.append("close")


def test_without_a_camera_it_waits_until_told_to_stop() -> None:
    stop, health, guest = StopSignal(), Health("sources"), Guest()
    fleet = Fleet([], stop, health, [guest], waits=True)
    progress = Progress([], enabled=False)
    thread = threading.Thread(target=fleet.run, args=(Publishers(None, None), progress))
    thread.start()
    eventually(lambda: guest.told.count("look") > 1, 60, "it looks after its guest")
    assert health.is_ready
    stop.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert (guest.told[0], guest.told[-1]) == ("start", "close")


def test_what_a_companion_ends_of_ends_the_process() -> None:
    stop, guest, other = StopSignal(), Guest(BrokerError("not authorised")), Guest()
    fleet = Fleet([], stop, Health("sources"), [guest, other], waits=True)
    with pytest.raises(BrokerError, match="not authorised"):
        fleet.run(Publishers(None, None), Progress([], enabled=False))
    assert (guest.told[-1], other.told[-1]) == ("close", "close")
