"""The reorder window: frames of every camera out by number, whatever order the workers sent.

One lane per camera and partition of `frames.processed`, one `Sequence` per session in it. A frame
without a session (a bare JPEG) has no number to go by and passes as it comes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from identifier.handover import Marks
from identifier.progress import RawProgress
from identifier.sequence import Order, Released, Sequence

T = TypeVar("T")

_MAX_LANES = 10_000
_CLOSED_REMEMBERED = 4


@dataclass(frozen=True, slots=True)
class FrameKey:
    """What ordering needs to know of a frame.

    Attributes:
        camera: name of the camera.
        session: the producer's session; empty for a bare JPEG.
        seq: number in the session, from 0.
        live: whether the source goes on without waiting for us.
        captured_at: UTC.
        raw_topic: where its raw record lies.
        raw_partition: of `raw_topic`.
        raw_offset: in `raw_partition`.
    """

    camera: str
    session: str
    seq: int
    live: bool
    captured_at: datetime
    raw_topic: str
    raw_partition: int
    raw_offset: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much frames may wait.

    Attributes:
        live_s: longest wait of a frame of a live source, seconds.
        stored_s: longest wait of a frame of a file, seconds. It loses nothing, so order is worth
            more than delay.
        max_bytes: of all frames held.
    """

    live_s: float
    stored_s: float
    max_bytes: int


class Reorderer(Generic[T]):
    """Takes frames as they come and gives them back in order of capture, each exactly once.

    The number of frames it lets go early for want of memory is `overflows`.

    Args:
        limits: see there.
        partitions_of: number of partitions of a raw topic, None when unknown.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        limits: Limits,
        partitions_of: Callable[[str], int | None],
        clock: Callable[[], float],
    ) -> None:
        self._limits = limits
        self._partitions_of = partitions_of
        self._clock = clock
        self._lanes: OrderedDict[tuple[int, str], _Lane[T]] = OrderedDict()
        self._held_bytes = 0
        self.overflows = 0

    def push(self, partition: int, key: FrameKey, item: T, size_bytes: int) -> list[Released[T]]:
        """Take a frame in; what it sets free, in order.

        Args:
            partition: of `frames.processed` it was read from.
            key: which frame.
            item: the frame, given back as it is.
            size_bytes: what holding it costs.
        """
        lane = self._lane(partition, key)
        held_before = lane.held_bytes
        released = lane.push(key, item, size_bytes, self._clock())
        self._held_bytes += lane.held_bytes - held_before
        while self._held_bytes > self._limits.max_bytes:
            released += self._make_room()
        return released

    def due(self) -> list[Released[T]]:
        """What has waited long enough by now, in order."""
        now_s = self._clock()
        released: list[Released[T]] = []
        for lane in self._lanes.values():
            if lane.held_bytes:
                held_before = lane.held_bytes
                released += lane.due(now_s)
                self._held_bytes += lane.held_bytes - held_before
        return released

    def waiting(self) -> list[tuple[int, str]]:
        """Partitions and cameras of which a frame waits for an earlier one."""
        return [where for where, lane in self._lanes.items() if lane.held_bytes]

    def wait_s(self) -> float | None:
        """Seconds until `due` has something; None when nothing is held."""
        times = [at for lane in self._lanes.values() if (at := lane.due_at_s) is not None]
        return max(0.0, min(times) - self._clock()) if times else None

    def marks(self, partition: int) -> list[tuple[str, str, int]]:
        """Camera, session and next number of a partition's cameras, the last heard first."""
        return [
            (where[1], *mark)
            for where, lane in reversed(self._lanes.items())
            if where[0] == partition and (mark := lane.mark) is not None
        ]

    def resume(self, partition: int, marks: Marks) -> None:
        """Go on where the last owner of a partition ended."""
        for camera, mark in marks.items():
            self._lanes[(partition, camera)] = _Lane(self._sequence, mark)

    def drop(self, partition: int) -> None:
        """Forget a partition that was taken away, with what is held of it."""
        for where in [where for where in self._lanes if where[0] == partition]:
            self._held_bytes -= self._lanes.pop(where).held_bytes

    @property
    def held_bytes(self) -> int:
        """Bytes of all frames that wait."""
        return self._held_bytes

    def _make_room(self) -> list[Released[T]]:
        lane = max(self._lanes.values(), key=lambda candidate: candidate.held_bytes)
        held_before = lane.held_bytes
        released = lane.force()
        self._held_bytes += lane.held_bytes - held_before
        self.overflows += len(released)
        return released

    def _lane(self, partition: int, key: FrameKey) -> _Lane[T]:
        where = (partition, key.camera)
        lane = self._lanes.get(where)
        if lane is None:
            lane = self._lanes[where] = _Lane(self._sequence)
            self._forget_idle_lanes()
        self._lanes.move_to_end(where)
        return lane

    def _forget_idle_lanes(self) -> None:
        excess = len(self._lanes) - _MAX_LANES
        if excess > 0:
            idle = [where for where, lane in self._lanes.items() if not lane.held_bytes]
            for where in idle[:excess]:
                del self._lanes[where]

    def _sequence(self, key: FrameKey, start: int) -> Sequence[T]:
        window_s = self._limits.live_s if key.live else self._limits.stored_s
        partitions = self._partitions_of(key.raw_topic)
        return Sequence(RawProgress(key.camera, key.session, partitions), window_s, start)


class _Lane(Generic[T]):
    """One camera: the session that runs, and the last few that ended.

    A new session ends the one before it. What still comes of an ended one is late, unless the
    session that ended it has been silent for `_SILENT_S`: then the two had only come the wrong
    way round, and the older takes over again.
    """

    _SILENT_S = 1.0

    def __init__(
        self,
        make: Callable[[FrameKey, int], Sequence[T]],
        resumed: tuple[str, int] | None = None,
    ) -> None:
        self._make = make
        self._resumed = resumed
        self._session: str | None = None
        self._current: Sequence[T] | None = None
        self._heard_s = 0.0
        self._closed: OrderedDict[str, Sequence[T]] = OrderedDict()
        self._bare: dict[tuple[str, int], int] = {}
        self._bare_at: datetime | None = None

    @property
    def held_bytes(self) -> int:
        return self._current.held_bytes if self._current else 0

    @property
    def due_at_s(self) -> float | None:
        return self._current.due_at_s if self._current else None

    @property
    def mark(self) -> tuple[str, int] | None:
        if self._current is None or self._session is None:
            return self._resumed
        return self._session, self._current.next_seq

    def push(self, key: FrameKey, item: T, size_bytes: int, now_s: float) -> list[Released[T]]:
        if not key.session:
            return [Released(item, self._order_of_bare(key))]
        released: list[Released[T]] = []
        if key.session != self._session:
            closed = self._closed.get(key.session)
            if closed is not None and now_s - self._heard_s < self._SILENT_S:
                return _late(closed, key, item, now_s)
            released += self._begin(key, closed)
        self._heard_s = now_s
        assert self._current is not None  # noqa: S101 - `_begin` has set it
        return released + self._current.push(key.seq, key.raw_partition, item, size_bytes, now_s)

    def due(self, now_s: float) -> list[Released[T]]:
        return self._current.due(now_s) if self._current else []

    def force(self) -> list[Released[T]]:
        return self._current.force() if self._current else []

    def _begin(self, key: FrameKey, again: Sequence[T] | None) -> list[Released[T]]:
        released: list[Released[T]] = []
        if self._current is not None and self._session is not None:
            released = self._current.flush()
            self._closed[self._session] = self._current
        self._closed.pop(key.session, None)
        while len(self._closed) > _CLOSED_REMEMBERED:
            self._closed.popitem(last=False)
        self._session = key.session
        if again is None:
            start = 0
            if self._resumed is not None and key.session.startswith(self._resumed[0]):
                start = self._resumed[1]
            again = self._make(key, start)
        self._current = again
        return released

    def _order_of_bare(self, key: FrameKey) -> Order:
        where = (key.raw_topic, key.raw_partition)
        if key.raw_offset <= self._bare.get(where, -1):
            return Order.DUPLICATE
        self._bare[where] = key.raw_offset
        late = self._bare_at is not None and key.captured_at < self._bare_at
        if not late:
            self._bare_at = key.captured_at
        return Order.LATE if late else Order.IN_ORDER


def _late(closed: Sequence[T], key: FrameKey, item: T, now_s: float) -> list[Released[T]]:
    frames = closed.push(key.seq, key.raw_partition, item, 0, now_s) + closed.flush()
    return [
        Released(frame.item, Order.LATE if frame.order is Order.IN_ORDER else frame.order)
        for frame in frames
    ]
