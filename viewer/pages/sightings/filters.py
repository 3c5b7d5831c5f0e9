"""Which sightings are asked for: read from the address, written into addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from viewer.pages.sightings.zones import UTC_NAME, local_field, midnight, parse_local, zone_of

PERIODS = ("hour", "today", "7d", "30d")
EVERYBODY, NAMED, UNKNOWN = "all", "named", "unknown"
_WHO = (EVERYBODY, NAMED, UNKNOWN)
_CAMERA = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SLUG = re.compile(r"[a-z0-9-]{1,80}")
_MOST_UNKNOWN = 2**31 - 1
_LENGTHS = {
    "hour": timedelta(hours=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}

Query = dict[str, str]


class Find(Protocol):
    """Finds whom a text means."""

    def __call__(self, text: str) -> tuple[str, str] | None:
        """Slug and name of the person with that slug or name; None for nobody."""
        ...


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked for; the address says the same.

    Attributes:
        person: slug; empty for everybody.
        name: of that person.
        camera: name; empty for all.
        period: one of PERIODS, up to now; empty where `since` and `until` are what counts.
        since: those that were still there then or later, UTC.
        until: those that began before, UTC.
        who: `all`, `named` or `unknown`.
        unknown: number of one unknown person.
        similarity: lowest best similarity, a cosine.
        zone: the reader's.
        wrong: names of what in the address makes no sense.
    """

    person: str = ""
    name: str = ""
    camera: str = ""
    period: str = ""
    since: datetime | None = None
    until: datetime | None = None
    who: str = EVERYBODY
    unknown: int | None = None
    similarity: float | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo(UTC_NAME))
    wrong: Sequence[str] = ()

    @property
    def any(self) -> bool:
        """Whether something is left out."""
        return bool(self.query())

    @property
    def up_to_now(self) -> bool:
        """Whether what happens from now on belongs to it."""
        return self.until is None or bool(self.period)

    @property
    def since_field(self) -> str:
        """For the field `from`."""
        return "" if self.period else local_field(self.since, self.zone)

    @property
    def until_field(self) -> str:
        """For the field `until`."""
        return "" if self.period else local_field(self.until, self.zone)

    def query(self, **other: str | int | float | None) -> Query:
        """What the address says; `other` is put in, None and empty takes out.

        With `from`, `until` or `period` among `other`, none of the three is kept.
        """
        found: dict[str, str | int | float | None] = {
            "person": self.person,
            "camera": self.camera,
            "who": "" if self.who == EVERYBODY else self.who,
            "unknown": self.unknown,
            "similarity": self.similarity,
        }
        if not other.keys() & {"from", "until", "period"}:
            found |= {"period": self.period, "from": self.since_field, "until": self.until_field}
        found |= other
        query = {key: f"{value:g}" if isinstance(value, float) else str(value)
                 for key, value in found.items() if value is not None and value != ""}  # fmt: skip
        if "from" in query or "until" in query:
            query["zone"] = self.zone.key
        return query

    def address(self, path: str = "/sightings", **other: str | int | float | None) -> str:
        """An address of this site with these filters."""
        query = urlencode(self.query(**other))
        return f"{path}?{query}" if query else path

    def between(self, since: datetime, until: datetime, **other: str | None) -> str:
        """The address of what was seen from one moment to another."""
        span: dict[str, str | int | float | None] = {
            "from": local_field(since, self.zone),
            "until": local_field(until, self.zone),
        }
        return self.address("/sightings", **span, **other)

    def params(self) -> dict[str, str | int | float | bool | None]:
        """For the identifier's `/sightings`."""
        return {
            "person": self.person or None,
            "camera": self.camera or None,
            "since": None if self.since is None else self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "unknown": self.unknown,
            "named": None
            if self.who == EVERYBODY or self.unknown is not None
            else ("true" if self.who == NAMED else "false"),
            "min_score": self.similarity,
        }

    def within(self, longest: timedelta, now: datetime) -> Filters:
        """The same with a beginning and an end, for views that need both."""
        until = now if self.until is None else self.until
        since = until - longest if self.since is None else self.since
        if since >= until:
            until = since + longest
        return replace(self, since=since, until=until)


def read_filters(
    given: Mapping[str, str], find: Find, now: datetime, cookie_zone: str | None = None
) -> Filters:
    """Understand the address of a page.

    Args:
        given: its query.
        find: whom a name means.
        now: UTC.
        cookie_zone: name of the reader's zone; without it times are in that of the address.
    """
    wrong: list[str] = []
    asked_zone = zone_of(given.get("zone"))
    zone = zone_of(cookie_zone) or asked_zone or ZoneInfo(UTC_NAME)
    person, name = _person(given.get("person", "").strip(), find, wrong)
    camera = given.get("camera", "").strip()
    if camera and not _CAMERA.fullmatch(camera):
        wrong.append("camera")
    who = given.get("who", "") or EVERYBODY
    if who not in _WHO:
        wrong.append("who")
    found = Filters(
        person=person,
        name=name,
        camera=camera,
        who=who,
        unknown=_number(given.get("unknown", ""), wrong),
        similarity=_similarity(given.get("similarity", ""), wrong),
        zone=zone,
    )
    written_in = asked_zone or zone
    since = _moment(given, "from", written_in, wrong)
    until = _moment(given, "until", written_in, wrong)
    if since is not None or until is not None:
        if since is not None and until is not None and since >= until:
            wrong.append("order")
        found = replace(found, since=since, until=until)
    elif given.get("period", ""):
        found = _with_period(found, given["period"], now, wrong)
    return replace(found, wrong=tuple(wrong))


def _with_period(found: Filters, period: str, now: datetime, wrong: list[str]) -> Filters:
    if period not in PERIODS:
        wrong.append("period")
        return found
    since = midnight(now, found.zone) if period == "today" else now - _LENGTHS[period]
    return replace(found, period=period, since=since)


def _person(text: str, find: Find, wrong: list[str]) -> tuple[str, str]:
    if not text:
        return "", ""
    known = find(text)
    if known is None:
        wrong.append("person")
        return (text, text) if _SLUG.fullmatch(text) else ("", text[:160])
    return known


def _moment(
    given: Mapping[str, str], name: str, zone: ZoneInfo, wrong: list[str]
) -> datetime | None:
    text = given.get(name, "").strip()
    if not text:
        return None
    try:
        return parse_local(text, zone)
    except ValueError:
        wrong.append(name)
        return None


def _number(text: str, wrong: list[str]) -> int | None:
    text = text.strip()
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= _MOST_UNKNOWN:
        return int(text)
    wrong.append("unknown")
    return None


def _similarity(text: str, wrong: list[str]) -> float | None:
    text = text.strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if -1 <= value <= 1:
        return value
    wrong.append("similarity")
    return None


def utc_now() -> datetime:
    """Now, UTC."""
    return datetime.now(UTC)
