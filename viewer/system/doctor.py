"""Runs the checks when somebody looks, in a thread of its own, and not again for ten seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from services.doctor.check import Check

log = structlog.get_logger()

_FRESH_S = 10.0


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found; `at` is None before anything was."""

    checks: Sequence[Check] = ()
    at: datetime | None = None
    looking: bool = False


class Doctor:
    """Answers at once with what is known, and looks anew when that is old.

    Args:
        look: makes the checks; may take seconds.
        clock: seconds, monotonic.
    """

    def __init__(
        self, look: Callable[[], Iterable[Check]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look = look
        self._clock = clock
        self._changed = threading.Condition()
        self._findings = Findings()
        self._looked_s: float | None = None
        self._looking = False

    def findings(self, wait_s: float = 0.0) -> Findings:
        """What is known; a look begins where that is older than ten seconds.

        Args:
            wait_s: how long to wait for a look that is under way.
        """
        with self._changed:
            old = self._looked_s is None or self._clock() - self._looked_s > _FRESH_S
            if old and not self._looking:
                self._looking = True
                threading.Thread(target=self._run, name="doctor", daemon=True).start()
            if wait_s:
                self._changed.wait_for(lambda: not self._looking, wait_s)
            return Findings(self._findings.checks, self._findings.at, self._looking)

    def _run(self) -> None:
        checks: list[Check] = []
        try:
            checks.extend(self._look())
        finally:
            with self._changed:
                self._findings = Findings(tuple(checks), datetime.now(UTC))
                self._looked_s = self._clock()
                self._looking = False
                self._changed.notify_all()
