"""The last ten minutes of status reports of every service, bounded, and nothing of before."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from services.status.report import StatusReport, is_same_run

State = Literal["ready", "waiting", "ended", "gone"]

KEPT_S = 600.0
SILENT_AFTER_S = 15.0
MOST_INSTANCES = 256
_MOST_POINTS = 700
_MISSED_REPORTS = 3


@dataclass(frozen=True, slots=True)
class Point:
    """The numbers of one report that are drawn over time.

    Attributes:
        at_s: end of the time they are about, seconds since 1970 by the viewer's clock.
        interval_s: length of that time.
        batch_mean: frames, None where there was no batch; `batch_most` likewise.
        p50_ms: delay, None where no frame came out; `p95_ms` likewise.
    """

    at_s: float
    interval_s: float
    in_per_s: float
    out_per_s: float
    faces_per_s: float
    drops_per_s: float
    batch_mean: float | None
    batch_most: float | None
    p50_ms: float | None
    p95_ms: float | None
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Heard:
    """One instance, as it last said.

    Attributes:
        report: its last report.
        at: when that came, by the viewer's clock.
        state: `waiting` is running without being ready, `gone` is silent without a goodbye.
        ahead_s: how far its clock is ahead of the viewer's; None until a report came live.
        restarts: how often it was seen to begin anew.
        points: oldest first.
    """

    report: StatusReport
    at: datetime
    state: State
    ahead_s: float | None
    restarts: int
    points: Sequence[Point] = field(repr=False)


@dataclass(slots=True)
class _Instance:
    report: StatusReport
    at: datetime
    ahead_s: float | None = None
    restarts: int = 0
    points: deque[Point] = field(default_factory=lambda: deque(maxlen=_MOST_POINTS))


class StatusBoard:
    """Collects reports; safe to use from any thread.

    Args:
        now: the time, with a zone.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._instances: dict[str, _Instance] = {}
        self._unreadable = 0

    def add(self, report: StatusReport, *, live: bool = True) -> None:
        """Put up a report.

        Args:
            report: what was said.
            live: whether it was read as it was written, so that its time of arrival is known; a
                report of before is placed by its own clock.
        """
        now = self._now()
        at = now if live else min(report.at, now)
        if now - at > timedelta(seconds=KEPT_S):
            return
        with self._lock:
            known = self._instances.get(report.key)
            if known is None:
                self._make_room()
                known = self._instances[report.key] = _Instance(report, at)
            elif not is_same_run(known.report, report) and report.at >= known.report.at:
                known.restarts += 1
            known.report, known.at = report, at
            if live:
                ahead_s = (report.at - now).total_seconds()
                # The way here takes time: the report that was quickest tells most about the clock.
                old_s = known.ahead_s
                known.ahead_s = ahead_s if old_s is None else max(ahead_s, old_s - 0.05)
            known.points.append(_point(report, at))

    def unreadable(self) -> None:
        """Count a record that is no report."""
        with self._lock:
            self._unreadable += 1

    @property
    def unreadable_records(self) -> int:
        """How many records were no reports."""
        return self._unreadable

    def instances(self, heard_until: datetime | None = None) -> list[Heard]:
        """Every instance of the last ten minutes, by service and name.

        Args:
            heard_until: since when nothing could be heard, so that nobody is blamed for silence;
                None while reports can come in.
        """
        now = self._now()
        until = now if heard_until is None else min(now, heard_until)
        with self._lock:
            oldest_s = now.timestamp() - KEPT_S
            for key, known in list(self._instances.items()):
                if until - known.at > timedelta(seconds=KEPT_S):
                    del self._instances[key]
                while known.points and known.points[0].at_s < oldest_s:
                    known.points.popleft()
            return sorted(
                (
                    Heard(
                        known.report,
                        known.at,
                        _state(known, until),
                        known.ahead_s,
                        known.restarts,
                        tuple(known.points),
                    )
                    for known in self._instances.values()
                ),
                key=lambda heard: (heard.report.service, heard.report.instance),
            )

    def _make_room(self) -> None:
        if len(self._instances) >= MOST_INSTANCES:
            oldest = min(self._instances, key=lambda key: self._instances[key].at)
            del self._instances[oldest]


def _state(known: _Instance, until: datetime) -> State:
    if known.report.ending:
        return "ended"
    patience_s = max(SILENT_AFTER_S, _MISSED_REPORTS * known.report.every_s)
    if until - known.at > timedelta(seconds=patience_s):
        return "gone"
    return "ready" if known.report.ready else "waiting"


def _point(report: StatusReport, at: datetime) -> Point:
    numbers = report.numbers
    return Point(
        at_s=at.timestamp(),
        interval_s=numbers.interval_s,
        in_per_s=numbers.frames_in_per_s,
        out_per_s=numbers.frames_out_per_s,
        faces_per_s=numbers.faces_per_s,
        drops_per_s=sum(numbers.drops.values()) / max(numbers.interval_s, 1e-3),
        batch_mean=None if numbers.batch is None else numbers.batch.mean,
        batch_most=None if numbers.batch is None else numbers.batch.most,
        p50_ms=None if numbers.delay is None else numbers.delay.p50_ms,
        p95_ms=None if numbers.delay is None else numbers.delay.p95_ms,
        memory_mb=numbers.memory_mb,
    )
