"""Which events were handed out, where ids may become visible out of order.

PostgreSQL gives an id when a row is written and shows the row when its transaction ends: 6 may be
seen before 5, and an id whose transaction failed is never seen. Nothing is held back for that. A
missing id is remembered, and handed out should it still appear; after `patience_s` it counts as
never used. Until then the cursor stays in front of it, so that whoever takes over looks for it
too, at the price of delivering again what came after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

MOST_GAPS = 1_000
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class _Gap:
    first: int
    last: int
    since_s: float


class Window:
    """The ids above a cursor: passed, missing, or still to come.

    Args:
        cursor: everything up to it is done with.
        patience_s: how long a missing id is waited for; longer than any transaction that writes
            events stays open.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        cursor: int,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._high = cursor
        self._gaps: list[_Gap] = []
        self._patience_s = patience_s
        self._clock = clock

    @property
    def cursor(self) -> int:
        """Everything up to it was handed out, or never existed."""
        return self._gaps[0].first - 1 if self._gaps else self._high

    def wants(self, number: int) -> bool:
        """Whether an event was not passed yet."""
        return number > self._high or any(gap.first <= number <= gap.last for gap in self._gaps)

    def passed(self, number: int) -> None:
        """An event is done with."""
        if number > self._high:
            if number > self._high + 1:
                self._gaps.append(_Gap(self._high + 1, number - 1, self._clock()))
            self._high = number
        else:
            self._gaps = [part for gap in self._gaps for part in _without(gap, number)]
        self._gaps = self._gaps[-MOST_GAPS:]

    def expire(self) -> None:
        """Wait no longer for what has been missing too long."""
        now_s = self._clock()
        while self._gaps and now_s - self._gaps[0].since_s >= self._patience_s:
            self._gaps.pop(0)


def _without(gap: _Gap, number: int) -> list[_Gap]:
    if not gap.first <= number <= gap.last:
        return [gap]
    before = _Gap(gap.first, number - 1, gap.since_s)
    after = _Gap(number + 1, gap.last, gap.since_s)
    return [part for part in (before, after) if part.first <= part.last]
