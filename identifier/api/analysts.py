"""Photos analysed beside the API's event loop: so many at once, so many waiting, no more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from identifier.enrolment import PhotoAnalyser

T = TypeVar("T")


class BusyError(Exception):
    """As many photos are waiting as may; a later try may find room."""


class Analysts:
    """Analysers, each used by one thread at a time and loaded when it is needed first.

    Enrolling has an analyser of its own: a long import does not hold up who wants to know a face
    now. The threads do not hold up the end of the process.

    Args:
        load: loads the models.
        at_once: photos analysed at the same time; one per core is the most that makes sense.
        waiting: photos that may wait beyond those.
    """

    def __init__(self, load: Callable[[], PhotoAnalyser], at_once: int, waiting: int) -> None:
        self._load = load
        self._loading = threading.Lock()
        self._idle: list[PhotoAnalyser] = []
        self._limiter = CapacityLimiter(at_once)
        self._most = at_once + waiting
        self._pending = 0

    async def run(self, work: Callable[[PhotoAnalyser], T]) -> T:
        """Do some work with an analyser on a thread; called on the event loop.

        A client that goes away does not free the thread before the work is done.

        Raises:
            BusyError: too many are waiting; nothing was done.
            ModelError: the models cannot be had.
        """
        if self._pending >= self._most:
            raise BusyError
        self._pending += 1
        try:
            return await to_thread.run_sync(self._with_analyser, work, limiter=self._limiter)
        finally:
            self._pending -= 1

    def _with_analyser(self, work: Callable[[PhotoAnalyser], T]) -> T:
        analyser = self._take()
        try:
            return work(analyser)
        finally:
            self._idle.append(analyser)

    def _take(self) -> PhotoAnalyser:
        with self._loading:
            return self._idle.pop() if self._idle else self._load()
