"""Sightings as the timeline shows them: lines under the days they began on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from viewer.drawing import hue_of
from viewer.identifier import Json

Say = Callable[..., str]
"""Gives a text of the catalogue."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sighting, in words.

    Attributes:
        id: of the sighting.
        who: name, or "Unknown 7".
        slug: of the person; empty for somebody unknown.
        unknown: their number, while they have no name.
        hue: class of their colour.
        camera: where.
        day: on which it began, in the reader's zone.
        began: time of that day.
        ended: time, with the day where it is another one; empty while they are there.
        started_at: RFC 3339.
        last_at: RFC 3339.
        lasted: how long.
        similarity: best one; empty without a name.
        crop: whether there is a picture.
        found_by: `live`, `backfill` or `naming`.
    """

    id: str
    who: str
    slug: str
    unknown: int | None
    hue: str
    camera: str
    day: date
    began: str
    ended: str
    started_at: str
    last_at: str
    lasted: str
    similarity: str
    crop: bool
    found_by: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day's sightings, newest first."""

    day: date
    title: str
    lines: Sequence[Line]


def line_of(sighting: Json, zone: ZoneInfo, t: Say) -> Line:
    """A sighting of the identifier in words."""
    began = datetime.fromisoformat(sighting["started_at"])
    last = datetime.fromisoformat(sighting["last_at"])
    there, gone = began.astimezone(zone), last.astimezone(zone)
    ended = f"{gone:%H:%M:%S}" if gone.date() == there.date() else short_moment(gone, t)
    person, best = sighting["person"], sighting["best_similarity"]
    return Line(
        id=sighting["id"],
        who=who_is(sighting, t),
        slug=person["slug"] if person else "",
        unknown=None if person else sighting["unknown"],
        hue=hue_class(person["slug"] if person else ""),
        camera=sighting["camera"],
        day=there.date(),
        began=f"{there:%H:%M:%S}",
        ended=ended if sighting["ended"] else "",
        started_at=sighting["started_at"],
        last_at=sighting["last_at"],
        lasted=lasted((last - began).total_seconds(), t),
        similarity="" if best is None or person is None else f"{best:.2f}",
        crop=bool(sighting["crop"]),
        found_by=sighting["found_by"],
    )


def by_day(lines: Sequence[Line], today: date, t: Say) -> list[Day]:
    """The lines under their days; they come newest first and stay so."""
    return [
        Day(day, day_title(day, today, t), tuple(found))
        for day, found in groupby(lines, key=lambda line: line.day)
    ]


def who_is(sighting: Json, t: Say) -> str:
    """A person's name, "Unknown 7", or that nobody knows."""
    if sighting["person"]:
        return str(sighting["person"]["name"])
    number = sighting["unknown"]
    return t("sightings.somebody") if number is None else t("sightings.unknown_n", n=number)


def hue_class(slug: str) -> str:
    """The class of somebody's colour, the same as of the drawn boxes."""
    return f"hue-{hue_of(slug)}" if slug else "hue-unknown"


def day_title(day: date, today: date, t: Say) -> str:
    """The day as today, yesterday, or in full: `Saturday, 21 November 2026`."""
    if day == today:
        return t("sightings.today")
    if day == today - timedelta(days=1):
        return t("sightings.yesterday")
    weekday = t("sightings.weekdays").split()[day.weekday()]
    month = t("sightings.months").split()[day.month - 1]
    return t("sightings.day", weekday=weekday, day=day.day, month=month, year=day.year)


def short_day(day: date, t: Say) -> str:
    """A day in short: `21 Nov`."""
    month = t("sightings.months").split()[day.month - 1][:3]
    return t("sightings.short_day", day=day.day, month=month)


def short_moment(local: datetime, t: Say) -> str:
    """A moment in short: `21 Nov 14:03:12`; `local` is in the reader's zone."""
    return f"{short_day(local.date(), t)} {local:%H:%M:%S}"


def lasted(seconds: float, t: Say) -> str:
    """How long in words: `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`."""
    whole = max(0, round(seconds))
    for unit, size, part, part_size in (
        ("d", 86_400, "h", 3_600),
        ("h", 3_600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if whole >= size:
            first = t(f"sightings.{unit}", n=whole // size)
            rest = whole % size // part_size
            return f"{first} {t(f'sightings.{part}', n=rest)}" if rest else first
    return t("sightings.s", n=whole)
