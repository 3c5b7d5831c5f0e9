"""Kafka headers as text: reading them defensively, whatever a client sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from confluent_kafka import Message

from services.errors import RecordError

Headers = list[tuple[str, bytes]]


def read_headers(message: Message) -> dict[str, bytes]:
    """Headers of a message by name; of a repeated name the last counts, as in Kafka itself."""
    pairs = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return {name: value for name, value in pairs if value is not None}


def text(headers: dict[str, bytes], name: str, *, longest: int = 256) -> str | None:
    """One header as text, None where it is absent.

    Raises:
        RecordError: `bad-header` when it is not UTF-8 or longer than `longest` bytes.
    """
    value = headers.get(name)
    if value is None:
        return None
    if len(value) > longest:
        raise RecordError("bad-header", f"header {name} has {len(value)} bytes, allowed {longest}")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise RecordError("bad-header", f"header {name} is not UTF-8") from None


def integer(headers: dict[str, bytes], name: str, *, highest: int) -> int | None:
    """One header as a number from 0 to `highest`, None where it is absent.

    Raises:
        RecordError: `bad-header` when it is anything else.
    """
    value = text(headers, name, longest=20)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit()) or int(value) > highest:
        raise RecordError("bad-header", f"header {name}={value!r} is not 0 to {highest}")
    return int(value)


def timestamp(headers: dict[str, bytes], name: str) -> datetime | None:
    """One header as an RFC 3339 time in UTC, None where it is absent.

    Raises:
        RecordError: `bad-header` when it is not a time with an offset.
    """
    value = text(headers, name, longest=40)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise RecordError("bad-header", f"header {name}={value!r} is not RFC 3339") from None
    if moment.tzinfo is None:
        raise RecordError("bad-header", f"header {name}={value!r} has no offset from UTC")
    return moment.astimezone(UTC)


def rfc3339(moment: datetime) -> str:
    """A time in UTC with microseconds: `2026-01-31T12:00:00.000001Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
