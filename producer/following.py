"""Follows the identifier: a thread that reports every second and does what the answer says."""

from __future__ import annotations

import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import structlog

from producer.assigned import Assigned
from producer.identifier import Identifier, IdentifierAway, Me
from producer.names import Names
from producer.reporting import CameraReport, Reported, drops_by_camera
from producer.shots import ShotTaker

log = structlog.get_logger()

_EVERY_S = 1.0
_EARLIER_S = 1.0
"""How long before its lease is over a producer ends its cameras: clocks do not run alike."""

_STOP_WITHIN_S = 0.3
_ODD = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True, slots=True)
class Guests:
    """What a producer does for the identifier, besides its own sources."""

    assigned: Assigned
    shots: ShotTaker


class Following:
    """Reports, and hands on what comes back, until it is closed.

    While the identifier is away everything goes on, until the lease is over.

    Args:
        identifier: whom to ask.
        fixed: the process's own sources.
        pushed: gives the cameras that are pushed.
        guests: runs what is given, takes test shots; None for a producer that only reports.
        names: told what others have.
        every_s: between two reports, seconds.
        clock: seconds, monotonic; the one the guests have.
    """

    def __init__(
        self,
        identifier: Identifier,
        fixed: Sequence[CameraReport],
        pushed: Callable[[], list[Reported]],
        guests: Guests | None,
        names: Names,
        every_s: float = _EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._identifier = identifier
        self._fixed = tuple(fixed)
        self._pushed = pushed
        self._guests = guests
        self._names = names
        self._every_s = every_s
        self._clock = clock
        self._away = ""
        self._failure: BaseException | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="following", daemon=True)

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def look(self) -> None:
        """Look after what was given; called a few times a second.

        Raises:
            BaseException: what ended a camera and is not its own fault.
        """
        if self._failure is not None:
            raise self._failure
        if self._guests is not None:
            self._guests.assigned.look()

    def close(self) -> None:
        """End what was given, and say so: others may have it at once."""
        self._ending.set()
        if self._guests is not None:
            self._guests.assigned.close()
        if self._thread.is_alive():
            self._thread.join(_STOP_WITHIN_S)
        with suppress(IdentifierAway):
            self._identifier.leave([])
        if not self._thread.is_alive():
            self._identifier.close()

    def ask(self) -> None:
        """Report once, and do what the answer says.

        Raises:
            IdentifierAway: there is no answer.
        """
        # Taken before the question: the identifier counts the lease from a later moment.
        asked_s = self._clock()
        orders = self._identifier.report(self._reports())
        if self._ending.is_set() or self._guests is None:
            return
        self._names.elsewhere = frozenset(orders.taken)
        early_s = min(_EARLIER_S, orders.lease_s / 10)
        self._guests.assigned.apply(orders.cameras, asked_s + orders.lease_s - early_s)
        self._guests.shots.take(orders.shots)

    def _reports(self) -> list[Reported]:
        now_s, drops = self._clock(), drops_by_camera()
        fixed = [report.at(now_s, drops) for report in self._fixed]
        assigned = [] if self._guests is None else self._guests.assigned.reports()
        return [*fixed, *self._pushed(), *assigned]

    def _run(self) -> None:
        try:
            self._report_again_and_again()
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that watches
            self._failure = error

    def _report_again_and_again(self) -> None:
        while not self._ending.is_set():
            began_s = self._clock()
            try:
                self.ask()
            except IdentifierAway as error:
                if self._away != str(error):
                    log.warning("the identifier does not answer", error=str(error))
                self._away = str(error)
            else:
                if self._away:
                    log.info("the identifier is back")
                self._away = ""
            self._ending.wait(max(0.0, began_s + self._every_s - self._clock()))


def who_i_am() -> Me:
    """An id for this process: the machine's name, and a number for this very start."""
    machine = _ODD.sub("-", socket.gethostname())[:48] or "producer"
    try:
        release = version("facestream")
    except PackageNotFoundError:
        release = ""
    return Me(f"{machine}-{uuid.uuid4().hex[:12]}", release)
