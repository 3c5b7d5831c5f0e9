"""Moments as people type them: `30d`, `12h`, `2026-11-01`, `2026-11-01T18:30`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from services.errors import SettingsError

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime) -> datetime:
    """The moment that is meant, UTC.

    Args:
        text: how long ago (`90s`, `45m`, `12h`, `30d`, `2w`), or an ISO 8601 date or time. One
            without a zone is of this machine's zone.
        now: the present.

    Raises:
        SettingsError: it is neither.
    """
    if ago := _AGO.fullmatch(text.strip().lower()):
        try:
            return now.astimezone(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            raise SettingsError(f"{text}: so long ago there was no calendar") from None
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise SettingsError(
            f"{text}: not a time; write how long ago (45m, 12h, 30d, 2w) or 2026-11-01T18:30"
        ) from None


def rfc3339(at: datetime) -> str:
    """A moment as the API takes it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def shown(at: datetime) -> str:
    """A moment as people read it: this machine's time, to the second."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
