"""The lane view: one lane per camera or person, a bar for every sighting of a period.

However many sightings there are, there are no more bars than a page can hold: what would be too
near to be told apart becomes one bar.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from viewer.identifier import Json
from viewer.pages.sightings.timeline import Say, hue_class, short_day, short_moment, who_is

MOST_SIGHTINGS = 5_000
MOST_LANES = 40
_MOST_BARS = 800
_MOST_ROWS = 6
_GAP = 1 / 500
_NARROWEST = 0.4
_MOST_TICKS = 7
_TICKS_MIN = (1, 5, 10, 15, 30, 60, 120, 180, 360, 720)
_TICKS_DAYS = (1, 2, 7, 14, 30, 90)


@dataclass(frozen=True, slots=True)
class Span:
    """Somebody somewhere from one moment to another: one sighting or several near each other.

    Attributes:
        who: name, for people.
        slug: of the person; empty for somebody unknown.
        camera: where.
        began: UTC.
        ended: UTC.
        sightings: how many it stands for.
        id: of the sighting, or the newest of several.
    """

    who: str
    slug: str
    camera: str
    began: datetime
    ended: datetime
    sightings: int
    id: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A span as it is drawn.

    Attributes:
        span: what it shows.
        x: where it begins, per cent of the lane.
        width: per cent of the lane.
        row: from 0, of those below each other.
        hue: class of its colour.
        text: who, where and when.
    """

    span: Span
    x: float
    width: float
    row: int
    hue: str
    text: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One camera's or person's bars.

    Attributes:
        title: its name.
        bars: in the order of time.
        rows: how many are below each other.
        sightings: how many the bars stand for.
    """

    title: str
    bars: Sequence[Bar]
    rows: int
    sightings: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A time on the axis, `x` per cent of the lane."""

    x: float
    text: str


def lanes_of(
    sightings: Sequence[Json],
    since: datetime,
    until: datetime,
    zone: ZoneInfo,
    t: Say,
    *,
    by_person: bool = False,
) -> list[Lane]:
    """Lay sightings out, the lanes with the most sightings first.

    Args:
        sightings: of the identifier.
        since: left end, UTC.
        until: right end, UTC.
        zone: of the times in the texts.
        t: the catalogue.
        by_person: a lane per person instead of per camera.
    """
    spans = [_span(each, t) for each in sightings]
    gap = _GAP
    while True:
        near = (until - since) * gap
        merged = _merged(spans, near)
        if len(merged) <= _MOST_BARS or gap > 1:
            break
        gap *= 2
    groups: defaultdict[tuple[str, str], list[Span]] = defaultdict(list)
    for span in merged:
        groups[(span.who, span.slug) if by_person else (span.camera, "")].append(span)
    lanes = [_lane(key[0], found, since, until, zone, t) for key, found in groups.items()]
    return sorted(lanes, key=lambda lane: (-lane.sightings, lane.title))


def ticks(since: datetime, until: datetime, zone: ZoneInfo, t: Say) -> list[Tick]:
    """Round times of the reader's clock between two moments, at most seven."""
    length = until - since
    for minutes in _TICKS_MIN:
        if length <= timedelta(minutes=minutes) * _MOST_TICKS:
            return _clock_ticks(since, until, timedelta(minutes=minutes), zone, t)
    days = next((n for n in _TICKS_DAYS if length <= timedelta(days=n) * _MOST_TICKS), 365)
    day = since.astimezone(zone).date() + timedelta(days=1)
    found: list[Tick] = []
    while (at := datetime.combine(day, time(), zone).astimezone(UTC)) < until:
        found.append(Tick(_percent(at, since, until), short_day(day, t)))
        day += timedelta(days=days)
    return found


def _clock_ticks(
    since: datetime, until: datetime, step: timedelta, zone: ZoneInfo, t: Say
) -> list[Tick]:
    local = since.astimezone(zone)
    start = datetime.combine(local.date(), time(), zone).astimezone(UTC)
    at = start + ((since - start) // step + 1) * step
    found: list[Tick] = []
    while at < until:
        there = at.astimezone(zone)
        first_of_day = not found or there.date() != (at - step).astimezone(zone).date()
        new_day = first_of_day and until - since > timedelta(hours=12)
        text = short_day(there.date(), t) if new_day and not there.hour else f"{there:%H:%M}"
        found.append(Tick(_percent(at, since, until), text))
        at += step
    return found


def _span(sighting: Json, t: Say) -> Span:
    person = sighting["person"]
    return Span(
        who=who_is(sighting, t),
        slug=person["slug"] if person else "",
        camera=sighting["camera"],
        began=datetime.fromisoformat(sighting["started_at"]),
        ended=datetime.fromisoformat(sighting["last_at"]),
        sightings=1,
        id=sighting["id"],
    )


def _merged(spans: Sequence[Span], near: timedelta) -> list[Span]:
    of_one: defaultdict[tuple[str, str, str], list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.began):
        found = of_one[(span.camera, span.who, span.slug)]
        last = found[-1] if found else None
        # Only those too short to be seen as two: a long stay and the next one stay two.
        if last is None or span.began - last.ended > near or _long(last, near) or _long(span, near):
            found.append(span)
        else:
            found[-1] = Span(
                span.who,
                span.slug,
                span.camera,
                last.began,
                max(last.ended, span.ended),
                last.sightings + 1,
                span.id,
            )
    return [span for found in of_one.values() for span in found]


def _long(span: Span, near: timedelta) -> bool:
    return span.sightings == 1 and span.ended - span.began > 3 * near


def _lane(
    title: str,
    spans: Sequence[Span],
    since: datetime,
    until: datetime,
    zone: ZoneInfo,
    t: Say,
) -> Lane:
    bars: list[Bar] = []
    row_ends: list[float] = []
    for span in sorted(spans, key=lambda span: span.began):
        left = _percent(span.began, since, until)
        right = max(_percent(span.ended, since, until), left + _NARROWEST)
        left = min(left, 100 - _NARROWEST)
        right = min(right, 100)
        row = next((n for n, end in enumerate(row_ends) if end <= left), len(row_ends))
        if row < _MOST_ROWS:
            row_ends[row : row + 1] = [right]
        else:
            row = _MOST_ROWS - 1
            row_ends[row] = max(row_ends[row], right)
        width = round(right - left, 2)
        text = _text(span, zone, t)
        bars.append(Bar(span, round(left, 2), width, row, hue_class(span.slug), text))
    return Lane(title, bars, max(1, len(row_ends)), sum(span.sightings for span in spans))


def _text(span: Span, zone: ZoneInfo, t: Say) -> str:
    began, ended = span.began.astimezone(zone), span.ended.astimezone(zone)
    end = f"{ended:%H:%M:%S}" if ended.date() == began.date() else short_moment(ended, t)
    start = short_moment(began, t)
    key = "sightings.bar" if span.sightings == 1 else "sightings.bars"
    return t(key, who=span.who, camera=span.camera, start=start, end=end, n=span.sightings)


def _percent(at: datetime, since: datetime, until: datetime) -> float:
    return min(max(100 * ((at - since) / (until - since)), 0), 100)
