"""Kafka headers as text: reading them defensively, whatever a client sent."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import methodcaller
from typing import cast

from confluent_kafka import Message

from services.errors import RecordError

Headers = list[tuple[str, bytes]]

_UNREADABLE = "unreadable-headers"
_headers_of = methodcaller("headers")  # unlike `message.headers()`, always checked


def pairs(message: Message) -> list[tuple[str, bytes | None]]:
    """Headers of a message as they were sent; one called `unreadable-headers` where none can be.

    Nothing else may ask a message for its headers: where a name is not UTF-8, confluent-kafka
    (2.16) returns a null pointer together with an exception, which Python's specialised calls do
    not look for, and from then on the null pointer alone.
    """
    try:
        found = _headers_of(message)
    except (UnicodeDecodeError, SystemError):
        message.set_headers([(_UNREADABLE, b"a header name is not UTF-8")])
        found = _headers_of(message)
    return list(cast("list[tuple[str, bytes | None]]", found or []))


def read_headers(message: Message) -> dict[str, bytes]:
    """Headers of a message by name; of a repeated name the last counts, as in Kafka itself.

    Raises:
        RecordError: `bad-header` when a name is not UTF-8.
    """
    found = {name: value for name, value in pairs(message) if value is not None}
    if _UNREADABLE in found:
        raise RecordError("bad-header", "a header name is not UTF-8")
    return found


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
        if moment.tzinfo is None:
            raise RecordError("bad-header", f"header {name}={value!r} has no offset from UTC")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RecordError("bad-header", f"header {name}={value!r} is not RFC 3339") from None


def rfc3339(moment: datetime) -> str:
    """A time in UTC with microseconds: `2026-01-31T12:00:00.000001Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
