"""The little of ASGI that pushing needs: a head, a bounded body, an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from producer.ingest.pushes import PushRefused

# What ASGI itself says: the values are of many types.
Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

_BODY_WITHIN_S = 15.0
_DISCARD_BYTES = 16_777_216
_NO_STORE = (b"cache-control", b"no-store")


class Gone(Exception):  # noqa: N818 - a state: the client left
    """Whoever pushed hung up before the picture was there."""


class Heads:
    """Headers of a request, by lower-case name."""

    def __init__(self, scope: Scope) -> None:
        self._values: dict[bytes, bytes] = dict(scope["headers"])

    def get(self, name: str) -> str:
        """A header's value, empty where there is none."""
        return self._values.get(name.encode(), b"").decode("latin-1").strip()


class Room:
    """Memory for bodies that are being read, shared by all requests."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    def take(self, amount: int) -> None:
        """Reserve bytes.

        Raises:
            PushRefused: 429 while others have them.
        """
        if amount > self._left:
            raise PushRefused(429, "busy", "many pictures come at once: send it again")
        self._left -= amount

    def give_back(self, amount: int) -> None:
        """Give bytes back."""
        self._left += amount


def body_length(heads: Heads, most_bytes: int) -> int:
    """How long the body says it is.

    Raises:
        PushRefused: 411 where it does not say, 413 beyond `most_bytes`, 400 for 0 or nonsense.
    """
    given = heads.get("content-length")
    if not given:
        raise PushRefused(411, "length-required", "send the picture with a Content-Length")
    if not (given.isascii() and given.isdigit()):
        raise PushRefused(400, "bad-request", "the header Content-Length is no number")
    if len(given) > 18 or int(given) > most_bytes:
        raise PushRefused(413, "too-many-bytes", f"a picture has at most {most_bytes} bytes")
    if int(given) == 0:
        raise PushRefused(400, "empty", "the body is one JPEG")
    return int(given)


class Body:
    """The body of one request, read once."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    async def read(self, length: int) -> bytes:
        """Exactly so many bytes.

        Raises:
            PushRefused: 408 when they take longer than 15 s, 400 when there are more or fewer.
            Gone: the client left.
        """
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_WITHIN_S):
                while self._more and len(body) <= length:
                    body += await self._next()
        except TimeoutError:
            raise PushRefused(408, "too-slow", f"not sent within {_BODY_WITHIN_S:g} s") from None
        if len(body) != length:
            raise PushRefused(400, "bad-request", "the body is not as long as it says")
        return bytes(body)

    async def discard(self) -> None:
        """Read what is left, within bounds: many clients look at a refusal only then.

        Raises:
            Gone: the client left.
        """
        left = _DISCARD_BYTES
        try:
            async with asyncio.timeout(_BODY_WITHIN_S):
                while self._more and left > 0:
                    left -= len(await self._next())
        except TimeoutError:
            return

    async def _next(self) -> bytes:
        event = await self._receive()
        if event["type"] == "http.disconnect":
            raise Gone
        self._more = event.get("more_body", False)
        chunk: bytes = event.get("body", b"")
        return chunk


async def answer(send: Send, status: int, document: object) -> None:
    """Send a JSON document."""
    await _send(send, status, document, b"application/json", ())


async def refuse(send: Send, refusal: PushRefused) -> None:
    """Send a problem (RFC 9457)."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "detail": str(refusal),
        "reason": refusal.reason,
    }
    more: list[tuple[bytes, bytes]] = []
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        more.append((b"www-authenticate", b"Bearer"))
    if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
        more.append((b"retry-after", b"1"))
    await _send(send, refusal.status, document, b"application/problem+json", more)


async def _send(
    send: Send,
    status: int,
    document: object,
    kind: bytes,
    more: tuple[tuple[bytes, bytes], ...] | list[tuple[bytes, bytes]],
) -> None:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    head = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), _NO_STORE, *more]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
