"""Frames that a browser sends as a camera: handed on to the producer's ingest, one at a time."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from typing import Final

import httpx
import structlog

from services.certificate import Trust, distrust
from services.records.frames import valid_camera_name
from viewer.access.proxies import header
from viewer.access.visitors import Visitor
from viewer.asgi import Headers, Receive, Scope, Send, answer
from viewer.texts import Texts

log = structlog.get_logger()

MOST_BYTES: Final = 10 * 1024 * 1024
_MOST_CONNECTIONS = 64
_ROOM_BYTES = 64 * 1024 * 1024
_BODY_WITHIN_S = 20.0
_TIMEOUT = httpx.Timeout(10.0, connect=2.0)
_CONNECTIONS = httpx.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=16)
_LONGEST_LENGTH = 16
_PATH = re.compile(r"/push/(?P<camera>[^/]+)")
_PASSED_ON: Final = ("x-captured-at", "x-session")
_LONGEST_HEADER = 100
# What is wrong with the frame is for the browser to know; what is wrong with the viewer's own
# token or address is not its fault.
_FOR_THE_BROWSER: Final = frozenset({202, 400, 404, 408, 409, 413, 415, 422, 429})


def csrf_ok(scope: Scope, visitor: Visitor) -> bool:
    """Whether a frame comes from a page of this site, not from one elsewhere.

    Args:
        scope: the request.
        visitor: who sends it; one for whom no cookie speaks (`csrf` is empty) passes.
    """
    if not visitor.csrf:
        return True
    given = header(scope, "x-csrf-token").encode("latin-1")
    return hmac.compare_digest(given, visitor.csrf.encode())


def camera_of(path: str) -> str | None:
    """The camera that a path pushes to; None for any other path."""
    match = _PATH.fullmatch(path)
    return None if match is None else match["camera"]


class Push:
    """Answers `POST /push/<camera>`: one JPEG in, what the ingest says of it out.

    The body goes on as it came, with `X-Captured-At` (RFC 3339) and `X-Session` (a UUID). The
    ingest numbers the frames, and refuses a second sender under the same name (409) and one that
    sends too fast (429); the browser is told its words. Belongs to the event loop.

    Args:
        url: of the ingest, without a path; None where there is none.
        texts: every sentence.
        token: for it, None where it wants none.
        trust: whose certificate is believed.
    """

    def __init__(
        self, url: str | None, texts: Texts, token: str | None = None, trust: Trust = True
    ) -> None:
        self._texts = texts
        self._trust = trust
        self._url = None if url is None else url.rstrip("/")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._client: httpx.AsyncClient | None = None
        self._room_bytes = _ROOM_BYTES
        self._answering = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whose visitor may push."""
        camera = camera_of(scope["path"])
        if scope["method"] != "POST":
            said = self._texts.line("push.post_only")
            await answer(send, 405, said, headers=[(b"allow", b"POST")])
        elif camera is None or not valid_camera_name(camera):
            await _refuse(send, 422, "bad-name", self._texts("cameras.bad_name"))
        elif self._url is None:
            await _refuse(send, 503, "no-ingest", self._texts("push.no_ingest"))
        else:
            await self._make_room(camera, scope, receive, send)

    async def close(self) -> None:
        """End its connections to the ingest."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _make_room(self, camera: str, scope: Scope, receive: Receive, send: Send) -> None:
        given = header(scope, "content-length")
        length = int(given) if given.isdigit() and len(given) < _LONGEST_LENGTH else MOST_BYTES
        if length > MOST_BYTES:
            await self._too_large(send)
        elif length > self._room_bytes:
            await _refuse(send, 429, "busy", self._texts("push.busy"), retry_s=1)
        else:
            self._room_bytes -= length
            try:
                await self._take(camera, scope, receive, send)
            finally:
                self._room_bytes += length

    async def _take(self, camera: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(_BODY_WITHIN_S):
                body = await _body(receive)
        except TimeoutError:
            await _refuse(send, 408, "slow", self._texts("push.too_slow"))
            return
        except _TooLargeError:
            await self._too_large(send)
            return
        if body is None:
            return
        try:
            told = await self._hand_on(camera, scope, body)
        except (httpx.HTTPError, OSError) as error:
            self._say(distrust(error, "INGEST_CA") or type(error).__name__)
            await _refuse(send, 503, "ingest-away", self._texts("push.ingest_away"), retry_s=1)
            return
        if told.status_code not in _FOR_THE_BROWSER:
            self._say(f"answer {told.status_code}")
            detail = self._texts("push.ingest_refuses", status=told.status_code)
            await _refuse(send, 503, "ingest-refuses", detail, retry_s=2)
            return
        self._answering = True
        kind = told.headers.get("content-type", "application/json")
        wait = told.headers.get("retry-after", "")
        later = [(b"retry-after", wait.encode("latin-1"))] if wait.isdigit() else []
        await answer(send, told.status_code, told.content, kind, later)

    async def _too_large(self, send: Send) -> None:
        detail = self._texts("push.too_large", mib=MOST_BYTES // 1024 // 1024)
        await _refuse(send, 413, "too-large", detail)

    async def _hand_on(self, camera: str, scope: Scope, body: bytes) -> httpx.Response:
        headers = {"Content-Type": "image/jpeg"}
        for name in _PASSED_ON:
            value = header(scope, name)
            if value and len(value) <= _LONGEST_HEADER:
                headers[name] = value
        return await self._connected().post(f"/push/{camera}", content=body, headers=headers)

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                base_url=self._url or "",
                headers=self._headers,
                timeout=_TIMEOUT,
                limits=_CONNECTIONS,
                verify=self._trust,
                trust_env=False,
            )
        return self._client

    def _say(self, error: str) -> None:
        """Log that frames are lost: once, not for each of them."""
        if self._answering:
            log.warning("frames of browsers cannot be handed on", error=error)
        self._answering = False


class _TooLargeError(Exception):
    """The body is longer than any frame."""


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when the browser left before its end."""
    chunks: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        chunk: bytes = event.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if size > MOST_BYTES:
            raise _TooLargeError
        if not event.get("more_body", False):
            return b"".join(chunks)


async def _refuse(
    send: Send, status: int, reason: str, detail: str, *, retry_s: int | None = None
) -> None:
    problem = {
        "type": "about:blank",
        "title": "Not taken",
        "status": status,
        "detail": detail,
        "reason": reason,
    }
    headers: Headers = [] if retry_s is None else [(b"retry-after", b"%d" % retry_s)]
    await answer(send, status, json.dumps(problem).encode(), "application/problem+json", headers)
