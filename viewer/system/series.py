"""What services said at times of their own, as lines with a value every two seconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from viewer.system.board import KEPT_S, Heard, Point

STEP_S = 2.0
POINTS = int(KEPT_S / STEP_S)

Line = list[float | None]

_ON_ITS_WAY_S = 0.5
_MOST_PATIENCE_S = 30.0
# Reports of one instance follow each other; where the clock trembles they overlap by this much.
_TOO_SHORT_S = 0.02


class Grid:
    """Ten minutes in steps of two seconds, up to the last for which all reports can be in."""

    def __init__(self, now_s: float, heard: Sequence[Heard]) -> None:
        every_s = [each.report.every_s for each in heard if each.state in ("ready", "waiting")]
        patience_s = min(_MOST_PATIENCE_S, max(every_s, default=STEP_S) + _ON_ITS_WAY_S)
        self.end_s = math.floor((now_s - patience_s) / STEP_S) * STEP_S

    def empty(self) -> Line:
        """A line without a value."""
        return [None] * POINTS

    def last_until(self, at_s: float) -> int:
        """Number of the last step that ends at a time or before it; may be outside."""
        return math.floor(POINTS - 1 - (self.end_s - at_s) / STEP_S)

    def shares(self, point: Point) -> Iterator[tuple[int, float]]:
        """The steps that a report is about, each with how many seconds of it."""
        first_s = self.end_s - POINTS * STEP_S
        since_s, until_s = point.at_s - point.interval_s, point.at_s
        begin = max(0, math.floor((since_s - first_s) / STEP_S))
        for step in range(begin, min(POINTS, math.ceil((until_s - first_s) / STEP_S))):
            begins_s = first_s + step * STEP_S
            seconds = min(until_s, begins_s + STEP_S) - max(since_s, begins_s)
            if seconds > _TOO_SHORT_S:
                yield step, seconds


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One line: of which services, and how several instances become one value.

    Attributes:
        how: `sum` adds up what each had on average, `mean` weighs by frames, `most` is the highest.
    """

    name: str
    services: tuple[str, ...]
    how: Literal["sum", "mean", "most"]
    value: Callable[[Point], float | None]


_DELAYED = ("worker", "identifier", "viewer")
_LINES = (
    _Drawn("frames_producer", ("producer",), "sum", lambda p: p.out_per_s),
    _Drawn("frames_worker", ("worker",), "sum", lambda p: p.out_per_s),
    _Drawn("frames_identifier", ("identifier",), "sum", lambda p: p.out_per_s),
    _Drawn("faces_worker", ("worker",), "sum", lambda p: p.faces_per_s),
    _Drawn("drops", (), "sum", lambda p: p.drops_per_s),
    _Drawn("workers", ("worker",), "sum", lambda _: 1.0),
    _Drawn("batch_mean", ("worker",), "mean", lambda p: p.batch_mean),
    _Drawn("batch_most", ("worker",), "most", lambda p: p.batch_most),
    _Drawn("memory", (), "sum", lambda p: p.memory_mb),
    *(_Drawn(f"p50_{name}", (name,), "mean", lambda p: p.p50_ms) for name in _DELAYED),
    *(_Drawn(f"p95_{name}", (name,), "most", lambda p: p.p95_ms) for name in _DELAYED),
)


class _Tally:
    """What came together for one line: per step a sum, and of what."""

    def __init__(self, drawn: _Drawn) -> None:
        self.drawn = drawn
        self._line: Line = [None] * POINTS
        self._weights = [0.0] * POINTS

    def add(self, step: int, value: float, seconds: float, frames: float) -> None:
        """Something was said about a step."""
        old = self._line[step]
        if self.drawn.how == "most":
            self._line[step] = value if old is None else max(old, value)
            return
        weight = seconds if self.drawn.how == "sum" else frames
        self._line[step] = (old or 0.0) + value * weight
        self._weights[step] += weight

    def line(self) -> Line:
        """The value of each step, of all that was added."""
        if self.drawn.how == "most":
            return self._line
        return [
            None if value is None else value / weight
            for value, weight in zip(self._line, self._weights, strict=True)
        ]


def make_series(
    grid: Grid, heard: Sequence[Heard], lag: Mapping[str, Sequence[tuple[float, int]]]
) -> dict[str, Line]:
    """Every series of the page, by name.

    Args:
        grid: the steps.
        heard: the board.
        lag: records that waited, by role: seconds since 1970, and how many.
    """
    together = {drawn.name: _Tally(drawn) for drawn in _LINES}
    sums = {drawn.name: grid.empty() for drawn in _LINES if drawn.how == "sum"}
    for each in heard:
        wanted = [d for d in _LINES if not d.services or each.report.service in d.services]
        # What is summed is first averaged over the time of one instance.
        tallies = [_Tally(d) if d.how == "sum" else together[d.name] for d in wanted]
        _add_up(grid, each.points, tallies)
        for tally in tallies:
            if tally.drawn.how == "sum":
                _add_line(sums[tally.drawn.name], tally.line())
    series = {name: sums.get(name) or tally.line() for name, tally in together.items()}
    for role, points in lag.items():
        line = grid.empty()
        for at_s, waiting in points:
            if 0 <= (step := grid.last_until(at_s)) < POINTS:
                line[step] = float(waiting)
        series[f"lag_{role}"] = _bridged(line)
    return {name: [None if v is None else _rounded(v) for v in s] for name, s in series.items()}


def _add_up(grid: Grid, points: Iterable[Point], tallies: Sequence[_Tally]) -> None:
    for point in points:
        values = [(tally, tally.drawn.value(point)) for tally in tallies]
        for step, seconds in grid.shares(point):
            frames = max(point.out_per_s, 1e-6) * seconds
            for tally, value in values:
                if value is not None:
                    tally.add(step, value, seconds, frames)


def _add_line(total: Line, line: Line) -> None:
    for step, value in enumerate(line):
        if value is not None:
            total[step] = (total[step] or 0.0) + value


def _bridged(line: Line) -> Line:
    """A single step without a question between two with one takes the earlier answer."""
    return [
        line[at - 1]
        if value is None and 0 < at < len(line) - 1 and line[at + 1] is not None
        else value
        for at, value in enumerate(line)
    ]


def _rounded(value: float) -> float:
    return round(value, 1 if abs(value) >= 10 else 2)


def last_of(line: Line) -> float | None:
    """The newest value; None where the last few steps have none."""
    return next((value for value in reversed(line[-3:]) if value is not None), None)
