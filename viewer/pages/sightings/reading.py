"""Sightings out of the identifier, part by part, and the one before and after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from viewer.identifier import Identifier, IdentifierProblem, Json
from viewer.pages.sightings.filters import NAMED, UNKNOWN, Filters

MOST_AT_ONCE = 500
_LEAST_SPLIT = timedelta(hours=2)
_MOST_SPLITS = 64
_FIRST_WINDOW = timedelta(minutes=1)
_WINDOW_GROWTH = 4
_MOST_PARTS_OF_WINDOW = 4


@dataclass(frozen=True, slots=True)
class Found:
    """Sightings, newest first.

    Attributes:
        sightings: as the identifier tells them.
        whole: whether there are no more than these.
    """

    sightings: list[Json]
    whole: bool


class TooManyCounts(Exception):  # noqa: N818 - a state of the data, not a fault
    """The period has more hours, cameras and people than can be counted."""


def parts_of(identifier: Identifier, filters: Filters) -> Iterator[list[Json]]:
    """All sightings, newest first, in parts of up to MOST_AT_ONCE."""
    params = filters.params()
    after: str | None = None
    while True:
        found = identifier.get("/sightings", **params, limit=MOST_AT_ONCE, after=after)
        yield found["sightings"]
        after = found["next"]
        if after is None:
            return


def newest(identifier: Identifier, filters: Filters, most: int) -> Found:
    """Up to `most` sightings."""
    found: list[Json] = []
    for part in parts_of(identifier, filters):
        found += part
        if len(found) > most:
            return Found(found[:most], whole=False)
    return Found(found, whole=True)


def counts(identifier: Identifier, filters: Filters) -> list[Json]:
    """How many there were by hour, camera and person; `filters` has `since` and `until`.

    Only person, camera, time and whether there is a name are obeyed.

    Raises:
        TooManyCounts: there are too many to be told.
    """
    if filters.since is None or filters.until is None:
        raise ValueError("counts need a beginning and an end")
    asked = [(filters.since, filters.until)]
    found: list[Json] = []
    for _ in range(_MOST_SPLITS):
        since, until = asked.pop()
        try:
            found += identifier.get(
                "/statistics",
                since=since.isoformat(),
                until=until.isoformat(),
                person=filters.person,
                camera=filters.camera,
            )["counts"]
        except IdentifierProblem as refused:
            if refused.reason != "too-many-counts" or until - since < _LEAST_SPLIT:
                raise
            # On an hour, so that no hour is counted in two parts.
            middle = (since + (until - since) / 2).replace(minute=0, second=0, microsecond=0)
            asked += [(since, middle), (middle, until)]
        if not asked:
            return [count for count in found if _wanted(count, filters.who)]
    raise TooManyCounts


def _wanted(count: Json, who: str) -> bool:
    named = count["person"] is not None
    return named if who == NAMED else not named if who == UNKNOWN else True


def before(identifier: Identifier, filters: Filters, started_at: datetime) -> str | None:
    """Id of the sighting that began last before a moment; None where there is none."""
    until = started_at if filters.until is None else min(filters.until, started_at)
    found = identifier.get("/sightings", **replace(filters, until=until).params(), limit=1)
    return str(found["sightings"][0]["id"]) if found["sightings"] else None


def following(
    identifier: Identifier, filters: Filters, started_at: datetime, now: datetime
) -> str | None:
    """Id of the sighting that began first after a moment; None where there is none.

    The identifier lists the newest first, so ever longer windows after the moment are asked for.
    """
    end = now if filters.until is None else min(filters.until, now)
    window = _FIRST_WINDOW
    since = started_at if filters.since is None else max(filters.since, started_at)
    while True:
        until = min(end, started_at + window)
        span = replace(filters, since=since, until=until)
        first: str | None = None
        for at, part in enumerate(parts_of(identifier, span)):
            later = [each for each in part if _began(each) > started_at]
            first = str(later[-1]["id"]) if later else first
            if len(later) < len(part) or at >= _MOST_PARTS_OF_WINDOW:
                break
        if first is not None or until >= end:
            return first
        window *= _WINDOW_GROWTH


def _began(sighting: Json) -> datetime:
    return datetime.fromisoformat(sighting["started_at"])
