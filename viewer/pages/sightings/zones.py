"""The reader's own time zone: found in the request, and what days and hours are there."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

UTC_NAME = "UTC"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(/[A-Za-z0-9_+-]{1,32}){0,2}")


def zone_of(name: str | None) -> ZoneInfo | None:
    """The zone of a name as browsers give it (`Europe/Berlin`); None for one nobody knows."""
    if not name or not _NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def parse_local(text: str, zone: ZoneInfo) -> datetime:
    """A time as a `datetime-local` field gives it, in a zone; an offset in the text wins.

    Returns:
        The moment, UTC.

    Raises:
        ValueError: it is no time, or not one of a year that can be counted with.
    """
    found = datetime.fromisoformat(text.strip())
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    try:
        moment = found.astimezone(UTC)
    except OverflowError:
        raise ValueError(text) from None
    if not 1970 <= moment.year < 9_000:
        raise ValueError(text)
    return moment


def local_field(moment: datetime | None, zone: ZoneInfo) -> str:
    """A moment as a `datetime-local` field wants it, to the minute; empty for none."""
    return "" if moment is None else f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}"


def midnight(moment: datetime, zone: ZoneInfo) -> datetime:
    """When the day of a moment began in a zone, UTC."""
    return day_begins(moment.astimezone(zone).date(), zone)


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins in a zone, UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def hour_exists(day: date, hour: int, zone: ZoneInfo) -> bool:
    """Whether a day has that hour: clocks that go forward skip one."""
    local = datetime.combine(day, time(hour, 30), zone)
    return local.astimezone(UTC).astimezone(zone).hour == hour


def days_from(first: date, last: date) -> list[date]:
    """Every day from one to another."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
