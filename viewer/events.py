"""Hands the identifier's events on to browsers: one connection there, however many look here.

Source of the stream's form: HTML Living Standard, 9.2 Server-sent events.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import httpx
import structlog

from services.certificate import Trust, distrust
from viewer.asgi import Receive, Scope, Send, answer, start, until_gone
from viewer.texts import Texts

log = structlog.get_logger()

_MOST_BROWSERS = 1_000
_QUEUED = 64
_KEEP_ALIVE_S = 15.0
_LOOK_EVERY_S = 0.5
_RETRY_S = 2.0
_CONNECT_WITHIN_S = 2.0
_LINGER_S = 30.0  # from one page to the next the connection to the identifier stays
_MOST_EVENT_BYTES = 65_536
_AGAIN = b'data: {"type": "again"}\n\n'
_TIMEOUT = httpx.Timeout(5.0, read=45.0)


class Events:
    """The identifier's stream of events, for many; belongs to the event loop.

    A browser that is slow or was away misses events: they say that something is new, what is new
    is asked for. When the identifier was away, browsers are told `{"type": "again"}` once it is
    back: they may have missed something.

    Args:
        url: of the identifier's API; None tells nobody anything.
        headers: that it wants.
        texts: every sentence.
        closed: whether the viewer ends.
        trust: whose certificate is believed.
    """

    def __init__(
        self,
        url: str | None,
        headers: dict[str, str],
        texts: Texts,
        closed: Callable[[], bool] = lambda: False,
        trust: Trust = True,
    ) -> None:
        self._url = url
        self._headers = headers
        self._texts = texts
        self._closed = closed
        self._trust = trust
        self._browsers: set[asyncio.Queue[bytes]] = set()
        self._reading: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._missed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer `/events` until the browser leaves."""
        del scope
        if len(self._browsers) >= _MOST_BROWSERS:
            said = self._texts.line("streams.too_many_listen")
            await answer(send, 503, said, headers=[(b"retry-after", b"9")])
            return
        await until_gone(receive, self._tell(send))

    async def _tell(self, send: Send) -> None:
        queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUED)
        self._browsers.add(queue)
        if self._url is not None and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read())
        try:
            await self._wait_for_identifier()
            self._missed |= not self._connected.is_set()
            await start(send, 200, "text/event-stream", [(b"x-accel-buffering", b"no")])
            await _send(send, b"retry: 2000\n\n")
            quiet_s = 0.0
            while not self._closed():
                try:
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        event = await queue.get()
                except TimeoutError:
                    quiet_s += _LOOK_EVERY_S
                    if quiet_s < _KEEP_ALIVE_S:
                        continue
                    event = b": still here\n\n"
                quiet_s = 0.0
                await _send(send, event)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._browsers.discard(queue)
            asyncio.get_running_loop().call_later(_LINGER_S, self._end_if_alone)

    def _end_if_alone(self) -> None:
        if not self._browsers and self._reading is not None:
            self._reading.cancel()
            self._reading = None

    async def _wait_for_identifier(self) -> None:
        """Nothing is missed once the answer has begun, unless the identifier is slow to come."""
        if self._url is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CONNECT_WITHIN_S):
                    await self._connected.wait()

    async def _read(self) -> None:
        address = f"{self._url}/api/v1/events/stream"
        answering = True
        async with httpx.AsyncClient(
            timeout=_TIMEOUT, headers=self._headers, verify=self._trust
        ) as client:
            while True:
                try:
                    async with client.stream("GET", address) as response:
                        response.raise_for_status()
                        answering = True
                        self._connected.set()
                        if self._missed:
                            self._offer(_AGAIN)
                        self._missed = False
                        async for event in _events(response):
                            self._offer(event)
                except (httpx.HTTPError, OSError) as error:
                    if answering:
                        why = distrust(error, "IDENTIFIER_CA") or type(error).__name__
                        log.warning("no events from the identifier", error=why)
                    answering = False
                finally:
                    self._connected.clear()
                self._missed = True
                await asyncio.sleep(_RETRY_S)

    def _offer(self, event: bytes) -> None:
        for browser in self._browsers:
            if browser.full():
                browser.get_nowait()
            browser.put_nowait(event)


async def _events(response: httpx.Response) -> AsyncIterator[bytes]:
    """Whole events, without comments and the identifier's own `retry`."""
    pending = b""
    async for chunk in response.aiter_bytes():
        *whole, pending = (pending + chunk).split(b"\n\n")
        for event in whole:
            if not event.startswith((b":", b"retry:")):
                yield event + b"\n\n"
        if len(pending) > _MOST_EVENT_BYTES:
            pending = b""


async def _send(send: Send, chunk: bytes) -> None:
    await send({"type": "http.response.body", "body": chunk, "more_body": True})
