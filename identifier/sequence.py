"""The frames of one session, put in order: what is held, what is missing, what was seen."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from identifier.progress import RawProgress

T = TypeVar("T")

_GAPS_REMEMBERED = 1_024


class Order(Enum):
    """How a frame left the window."""

    IN_ORDER = "in-order"
    LATE = "late"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Released(Generic[T]):
    """A frame on its way out; the payload stays out of its `repr`."""

    item: T = field(repr=False)
    order: Order


@dataclass(frozen=True, slots=True)
class Held(Generic[T]):
    """A frame that waits for an earlier one."""

    item: T = field(repr=False)
    size_bytes: int
    arrived_s: float


class Gaps:
    """Numbers that were given up: the newest `_GAPS_REMEMBERED` runs of them."""

    def __init__(self) -> None:
        self._runs: list[tuple[int, int]] = []
        self._forgotten_below = 0

    def add(self, first: int, last: int) -> None:
        """Give up `first` to `last`, all above what was given up before."""
        self._runs.append((first, last))
        if len(self._runs) > _GAPS_REMEMBERED:
            self._forgotten_below = self._runs.pop(0)[1] + 1

    def take(self, seq: int) -> bool:
        """Whether `seq` may be one that was given up; it no longer is afterwards."""
        if seq < self._forgotten_below:
            return True
        at = bisect_right(self._runs, seq, key=lambda run: run[0]) - 1
        if at < 0 or not self._runs[at][0] <= seq <= self._runs[at][1]:
            return False
        first, last = self._runs[at]
        rest = [(first, seq - 1), (seq + 1, last)]
        self._runs[at : at + 1] = [run for run in rest if run[0] <= run[1]]
        return True


class Sequence(Generic[T]):
    """Releases one session's frames by number, from 0.

    A frame is released when all before it were, or cannot come any more (`RawProgress`), or when
    some frame has waited for `window_s`: then the numbers missing before that frame are given up.

    Args:
        progress: what is known of the raw partitions.
        window_s: the longest a frame waits, seconds.
        start: the first number that was not released by somebody else before.
    """

    def __init__(self, progress: RawProgress, window_s: float, start: int = 0) -> None:
        self._progress = progress
        self._window_s = window_s
        self._next = start
        self._held: dict[int, Held[T]] = {}  # in order of arrival
        self._by_seq: list[int] = []
        self._gaps = Gaps()
        if start > 0:
            self._gaps.add(0, start - 1)
        self.held_bytes = 0

    def push(
        self, seq: int, raw_partition: int, item: T, size_bytes: int, now_s: float
    ) -> list[Released[T]]:
        """Take a frame in; what it sets free, in order."""
        self._progress.saw(seq, raw_partition)
        if seq < self._next:
            known = not self._gaps.take(seq)
            return [Released(item, Order.DUPLICATE if known else Order.LATE)]
        if seq in self._held:
            return [Released(item, Order.DUPLICATE)]
        self._held[seq] = Held(item, size_bytes, now_s)
        heapq.heappush(self._by_seq, seq)
        self.held_bytes += size_bytes
        return self.due(now_s)

    def due(self, now_s: float) -> list[Released[T]]:
        """What may go by now, in order."""
        released: list[Released[T]] = []
        while self._by_seq:
            head = self._by_seq[0]
            if head != self._next and not (
                self._progress.passed(self._next, head - 1) or self._waited_s(now_s) >= 0
            ):
                break
            released.append(self._release_head())
        return released

    def force(self) -> list[Released[T]]:
        """Give up the first gap: its frames up to the next one, without waiting."""
        released = [self._release_head()] if self._by_seq else []
        while self._by_seq and self._by_seq[0] == self._next:
            released.append(self._release_head())
        return released

    def flush(self) -> list[Released[T]]:
        """Everything that is held, in order."""
        return [self._release_head() for _ in range(len(self._by_seq))]

    @property
    def next_seq(self) -> int:
        """The lowest number that is neither released nor given up."""
        return self._next

    @property
    def due_at_s(self) -> float | None:
        """When `due` will release something even if nothing arrives; None when nothing is held."""
        if not self._held:
            return None
        return next(iter(self._held.values())).arrived_s + self._window_s

    def _waited_s(self, now_s: float) -> float:
        """Seconds since the frame that came first was due; negative while it may wait."""
        due_at_s = self.due_at_s
        return -1.0 if due_at_s is None else now_s - due_at_s

    def _release_head(self) -> Released[T]:
        seq = heapq.heappop(self._by_seq)
        if seq > self._next:
            self._gaps.add(self._next, seq - 1)
        self._next = seq + 1
        held = self._held.pop(seq)
        self.held_bytes -= held.size_bytes
        return Released(held.item, Order.IN_ORDER)
