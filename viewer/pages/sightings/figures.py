"""Counts as figures: a map of days and hours in the reader's zone, bars per person and camera."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from viewer.identifier import Json
from viewer.pages.sightings.timeline import Say, hue_class, lasted, short_day
from viewer.pages.sightings.zones import day_begins, days_from, hour_exists

LEVELS = 5
MOST_DAYS = 31
_MOST_BARS = 20
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Count:
    """Sightings of one person (or of all unknown people) at one camera that began in one hour.

    Attributes:
        hour: its beginning, UTC.
        camera: where.
        slug: of the person; empty for unknown people.
        name: of that person.
        sightings: how many.
        seconds: how long they lasted together.
    """

    hour: datetime
    camera: str
    slug: str
    name: str
    sightings: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour of one day.

    Attributes:
        hour: 0 to 23, of the reader's clock.
        sightings: how many; None for an hour that is not in the period, or that a day with a
            change of clocks does not have.
        level: 0 for none to LEVELS for the most.
        since: its beginning, UTC; None where it is an hour of several days.
        until: its end, UTC.
    """

    hour: int
    sightings: int | None
    level: int
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Days by hours.

    Attributes:
        rows: a title and its 24 cells each.
        most: in one cell.
        weekdays: whether the rows are weekdays, for a period with too many days.
    """

    rows: Sequence[tuple[str, Sequence[Cell]]]
    most: int
    weekdays: bool


@dataclass(frozen=True, slots=True)
class Total:
    """Somebody's, or a camera's, sightings together.

    Attributes:
        key: slug, or name of the camera; empty for unknown people, and for the rest.
        title: what is written.
        hue: class of the colour.
        sightings: how many.
        time: how long together, in words.
        sightings_share: of the longest bar, per cent.
        seconds_share: of the longest bar, per cent.
        rest: whether it stands for all that are not shown.
    """

    key: str
    title: str
    hue: str
    sightings: int
    time: str
    sightings_share: float
    seconds_share: float
    rest: bool = False


def read_counts(counts: Iterable[Json]) -> list[Count]:
    """The identifier's counts."""
    return [
        Count(
            hour=datetime.fromisoformat(count["hour"]),
            camera=count["camera"],
            slug=count["person"]["slug"] if count["person"] else "",
            name=count["person"]["name"] if count["person"] else "",
            sightings=count["sightings"],
            seconds=count["seconds"],
        )
        for count in counts
    ]


def count_up(sightings: Iterable[Json], since: datetime) -> list[Count]:
    """The same from sightings, for filters that the identifier's counts do not have.

    Args:
        sightings: of the identifier.
        since: those that began earlier are left out, as the identifier does.
    """
    found: list[Count] = []
    for each in sightings:
        began = datetime.fromisoformat(each["started_at"])
        seconds = (datetime.fromisoformat(each["last_at"]) - began).total_seconds()
        hour = began.replace(minute=0, second=0, microsecond=0)
        person = each["person"] or {"slug": "", "name": ""}
        if began >= since:
            found.append(Count(hour, each["camera"], person["slug"], person["name"], 1, seconds))
    return found


def heat_map(
    counts: Sequence[Count], since: datetime, until: datetime, zone: ZoneInfo, t: Say
) -> HeatMap:
    """How many began in each hour of the reader's clock.

    The counts are by the hour of UTC: where the clock is half an hour off, an hour counts to that
    of the clock in which it begins.
    """
    first = since.astimezone(zone).date()
    last = (until - timedelta(microseconds=1)).astimezone(zone).date()
    days = days_from(first, last)
    if len(days) > MOST_DAYS:
        return _weekdays(counts, zone, t)
    found: defaultdict[tuple[date, int], int] = defaultdict(int)
    for count in counts:
        there = max(count.hour, since).astimezone(zone)
        found[(there.date(), there.hour)] += count.sightings
    most = max(found.values(), default=0)
    rows = []
    for day in reversed(days):
        cells = []
        for hour in range(24):
            begins = _hour_begins(day, hour, zone)
            ends = _hour_begins(day, hour + 1, zone)
            inside = hour_exists(day, hour, zone) and begins < until and ends > since
            number = found[(day, hour)] if inside else None
            cells.append(Cell(hour, number, _level(number or 0, most), begins, ends))
        weekday = t("sightings.weekdays").split()[day.weekday()][:3]
        rows.append((f"{weekday} {short_day(day, t)}", cells))
    return HeatMap(rows, most, weekdays=False)


def totals_by_person(counts: Sequence[Count], t: Say) -> list[Total]:
    """Sums per person, the most first."""
    names = {count.slug: count.name for count in counts} | {"": t("sightings.unknown_people")}
    return _totals(((count.slug, count) for count in counts), names, t, coloured=True)


def totals_by_camera(counts: Sequence[Count], t: Say) -> list[Total]:
    """Sums per camera, the most first."""
    names = {count.camera: count.camera for count in counts}
    return _totals(((count.camera, count) for count in counts), names, t, coloured=False)


def _weekdays(counts: Sequence[Count], zone: ZoneInfo, t: Say) -> HeatMap:
    found: defaultdict[tuple[int, int], int] = defaultdict(int)
    for count in counts:
        there = count.hour.astimezone(zone)
        found[(there.weekday(), there.hour)] += count.sightings
    most = max(found.values(), default=0)
    rows = [
        (
            name,
            [Cell(hour, n := found[(day, hour)], _level(n, most)) for hour in range(24)],
        )
        for day, name in enumerate(t("sightings.weekdays").split())
    ]
    return HeatMap(rows, most, weekdays=True)


def _hour_begins(day: date, hour: int, zone: ZoneInfo) -> datetime:
    if hour == 24:
        return day_begins(day + timedelta(days=1), zone)
    return datetime(day.year, day.month, day.day, hour, tzinfo=zone).astimezone(UTC)


def _level(number: int, most: int) -> int:
    return math.ceil(LEVELS * number / max(most, 1))


def _totals(
    counts: Iterable[tuple[str, Count]], names: dict[str, str], t: Say, *, coloured: bool
) -> list[Total]:
    sightings: defaultdict[str, int] = defaultdict(int)
    seconds: defaultdict[str, float] = defaultdict(float)
    for key, count in counts:
        sightings[key] += count.sightings
        seconds[key] += count.seconds
    order = sorted(sightings, key=lambda key: (-sightings[key], names[key]))
    shown, rest = order[:_MOST_BARS], order[_MOST_BARS:]
    most = max((sightings[key] for key in shown), default=1)
    longest = max((seconds[key] for key in shown), default=0) or 1
    found = [
        Total(
            key=key,
            title=names[key],
            hue=hue_class(key) if coloured else "plain",
            sightings=sightings[key],
            time=lasted(seconds[key], t),
            sightings_share=round(100 * sightings[key] / most, 1),
            seconds_share=round(100 * seconds[key] / longest, 1),
        )
        for key in shown
    ]
    if rest:
        together = sum(seconds[key] for key in rest)
        found.append(
            Total(
                key="",
                title=t("sightings.others", n=len(rest)),
                hue="plain",
                sightings=sum(sightings[key] for key in rest),
                time=lasted(together, t),
                sightings_share=0,
                seconds_share=0,
                rest=True,
            )
        )
    return found
