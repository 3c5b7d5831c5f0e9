"""`multipart/x-mixed-replace`, the way network cameras send JPEG after JPEG (RFC 2046, 5.1)."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from typing import Protocol

from producer.sources.frames import SourceLost

_MOST_LINE_BYTES = 8_192
_MOST_HEADERS = 64
_CHUNK_BYTES = 65_536


class Readable(Protocol):
    """The body of an answer; `http.client.HTTPResponse` is one."""

    def readline(self, limit: int = -1, /) -> bytes:
        """One line with its end, or what is left."""

    def read(self, amount: int, /) -> bytes:
        """So many bytes, fewer only at the end."""


def boundary_of(content_type: str) -> bytes | None:
    """The boundary a content type names, without the dashes cameras wrongly put before it."""
    header = Message()
    header["content-type"] = content_type
    if header.get_content_maintype() != "multipart":
        return None
    boundary = str(header.get_param("boundary") or "").strip().lstrip("-")
    return boundary.encode("latin-1", "replace") or None


def parts(body: Readable, boundary: bytes, max_part_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Content type and payload of every part, until the body ends.

    Parts with a `Content-Length` are read by it, others up to the next boundary.

    Raises:
        SourceLost: a part is larger than `max_part_bytes`, or the stream makes no sense.
    """
    at_boundary = False
    while at_boundary or _skip_to(body, boundary, max_part_bytes):
        headers = _headers(body)
        if headers is None:
            return
        kind, length = headers
        if length is None:
            whole = _until(body, boundary, max_part_bytes)
            if whole is None:
                return
            payload, at_boundary = whole, True
        elif length > max_part_bytes:
            raise SourceLost(f"a part of {length} bytes, allowed {max_part_bytes}")
        else:
            payload, at_boundary = body.read(length), False
            if len(payload) < length:
                return
        yield kind, payload


def _skip_to(body: Readable, boundary: bytes, max_bytes: int) -> bool:
    skipped = 0
    while line := body.readline(_MOST_LINE_BYTES):
        if _is_boundary(line, boundary):
            return True
        skipped += len(line)
        if skipped > max_bytes:
            raise SourceLost(f"{skipped} bytes without a boundary")
    return False


def _is_boundary(line: bytes, boundary: bytes) -> bool:
    stripped = line.strip()
    return stripped.startswith(b"--") and stripped.lstrip(b"-").startswith(boundary)


def _headers(body: Readable) -> tuple[str, int | None] | None:
    kind, length = "", None
    for _ in range(_MOST_HEADERS):
        line = body.readline(_MOST_LINE_BYTES)
        if not line.endswith(b"\n"):
            return None
        name, _colon, value = line.decode("latin-1").partition(":")
        value = value.strip()
        if not line.strip():
            return kind, length
        if name.strip().lower() == "content-type":
            kind = value.partition(";")[0].strip().lower()
        elif name.strip().lower() == "content-length":
            if not (value.isascii() and value.isdigit()):
                raise SourceLost(f"a part of Content-Length {value[:20]!r}")
            length = int(value[:20])
    raise SourceLost(f"a part with more than {_MOST_HEADERS} headers")


def _until(body: Readable, boundary: bytes, max_bytes: int) -> bytes | None:
    payload = bytearray()
    fresh_line = True
    while line := body.readline(_CHUNK_BYTES):
        if fresh_line and _is_boundary(line, boundary):
            end = 2 if payload.endswith(b"\r\n") else int(payload.endswith(b"\n"))
            return bytes(payload[: len(payload) - end])
        fresh_line = line.endswith(b"\n")
        payload += line
        if len(payload) > max_bytes:
            raise SourceLost(f"a part of more than {max_bytes} bytes")
    return None
