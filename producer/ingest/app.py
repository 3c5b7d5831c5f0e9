"""`POST /push/<camera>`: one JPEG is one frame. `GET /push`: who pushes."""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

from producer.encoding import EncodedFrame, encode
from producer.ingest.http import (
    Body,
    Gone,
    Heads,
    Receive,
    Room,
    Scope,
    Send,
    answer,
    body_length,
    refuse,
)
from producer.ingest.pushes import Pushes, PushRefused
from producer.sources import CapturedFrame
from services.errors import BrokerError, RecordError
from services.records.jpeg import check_jpeg, decode_jpeg

_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
_FOLDER = "/push/"
_JPEGS = ("image/jpeg", "image/jpg")
_MAX_PIXELS = 50_000_000
_ROOM_BYTES = 67_108_864
_CLOCKS_DIFFER_BY = timedelta(seconds=10)
_SESSION = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TOO_LARGE = ("too-many-bytes", "too-many-pixels", "too-large")


@dataclass(frozen=True, slots=True)
class IngestRules:
    """What is taken, and from whom.

    Attributes:
        token: the bearer token; None takes from everyone who gets here.
        only_hosts: names it may be addressed by; empty allows any. On loopback they keep a page
            in the user's browser out (DNS rebinding).
        max_bytes: of one JPEG.
        max_side_px: longest side published, 0 for any.
        jpeg_quality: of what is scaled down.
    """

    token: str | None = field(repr=False)
    only_hosts: tuple[str, ...]
    max_bytes: int
    max_side_px: int = 0
    jpeg_quality: int = 95

    @classmethod
    def on_loopback(cls, host: str) -> tuple[str, ...]:
        """Names of this machine, and the one that is listened on."""
        return (*_LOOPBACK_HOSTS, host)


class Ingest:
    """The ASGI app.

    Args:
        pushes: takes the frames.
        rules: what is taken.
        failed: told what the process has to end of.
    """

    def __init__(
        self, pushes: Pushes, rules: IngestRules, failed: Callable[[BrokerError], None]
    ) -> None:
        self._pushes = pushes
        self._rules = rules
        self._failed = failed
        self._room = Room(max(_ROOM_BYTES, 2 * rules.max_bytes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        heads, body = Heads(scope), Body(receive)
        with suppress(Gone):
            try:
                self._let_in(heads)
                await self._route(scope, heads, body, send)
            except PushRefused as refusal:
                await body.discard()
                await refuse(send, refusal)

    async def _route(self, scope: Scope, heads: Heads, body: Body, send: Send) -> None:
        path: str = scope["path"]
        if path in ("/push", "/push/"):
            if scope["method"] not in ("GET", "HEAD"):
                raise PushRefused(405, "method-not-allowed", "POST /push/<camera>, or GET /push")
            reports = self._pushes.reports()
            await answer(send, 200, {"cameras": [report.document() for report in reports]})
        elif path.startswith(_FOLDER):
            if scope["method"] != "POST":
                raise PushRefused(405, "method-not-allowed", "POST one JPEG")
            await self._push(path.removeprefix(_FOLDER), heads, body, send)
        else:
            raise PushRefused(404, "not-found", "POST /push/<camera>, or GET /push")

    async def _push(self, camera: str, heads: Heads, body: Body, send: Send) -> None:
        kind = heads.get("content-type").partition(";")[0].strip().lower()
        if kind not in _JPEGS:
            raise PushRefused(415, "unsupported-format", "send one JPEG: Content-Type: image/jpeg")
        pusher = _pusher(heads)
        captured_at = _captured_at(heads)
        length = body_length(heads, self._rules.max_bytes)
        self._pushes.check(camera, pusher)
        self._room.take(length)
        try:
            frame = await self._encoded(await body.read(length))
            seq = self._pushes.take(camera, pusher, frame, captured_at or datetime.now(UTC))
        except RecordError as error:
            status = 413 if error.reason in _TOO_LARGE else 400
            raise PushRefused(status, error.reason, str(error)) from None
        except BrokerError as error:
            self._failed(error)
            raise PushRefused(503, "kafka-refuses", "the broker refuses frames") from None
        finally:
            self._room.give_back(length)
        await answer(send, 202, {"seq": seq})

    async def _encoded(self, jpeg: bytes) -> EncodedFrame:
        rules = self._rules
        width, height = check_jpeg(jpeg, max_bytes=rules.max_bytes, max_pixels=_MAX_PIXELS)
        if not rules.max_side_px or max(width, height) <= rules.max_side_px:
            return EncodedFrame(jpeg, width, height)
        load = partial(decode_jpeg, jpeg, max_bytes=rules.max_bytes, max_pixels=_MAX_PIXELS)
        captured = CapturedFrame(datetime.now(UTC), time.monotonic(), 0.0, load=load)
        return await asyncio.to_thread(
            encode, captured, max_side_px=rules.max_side_px, quality=rules.jpeg_quality
        )

    def _let_in(self, heads: Heads) -> None:
        rules = self._rules
        if rules.only_hosts:
            if _host(f"//{heads.get('host')}") not in rules.only_hosts:
                raise PushRefused(421, "wrong-host", "address this as localhost or 127.0.0.1")
            origin = heads.get("origin")
            if origin and _host(origin) not in rules.only_hosts:
                raise PushRefused(403, "foreign-origin", "a page of another site may not do this")
        if rules.token is not None:
            scheme, _, given = heads.get("authorization").partition(" ")
            same = hmac.compare_digest(given.strip().encode(), rules.token.encode())
            if scheme.lower() != "bearer" or not same:
                raise PushRefused(401, "no-token", "send Authorization: Bearer INGEST_TOKEN")


def _pusher(heads: Heads) -> str:
    session = heads.get("x-session")
    if session and not _SESSION.fullmatch(session):
        raise PushRefused(400, "bad-session", "X-Session is a UUID")
    return session.lower()


def _captured_at(heads: Heads) -> datetime | None:
    """When the picture was taken, where the pusher says so and its clock is near ours."""
    given = heads.get("x-captured-at")
    if not given:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise PushRefused(
            400, "bad-time", "X-Captured-At is a time with its zone, as in 2026-11-01T18:30:00.5Z"
        )
    near = abs(moment - datetime.now(UTC)) <= _CLOCKS_DIFFER_BY
    return moment.astimezone(UTC) if near else None


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
