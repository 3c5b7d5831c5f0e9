"""The moving part of the page: MJPEG, one stream of several channels, snapshots and the state."""

from __future__ import annotations

import json
import re
from asyncio import timeout
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import structlog

from services.errors import RecordError
from services.lifecycle import metrics
from viewer.asgi import (
    BadRequest,
    Query,
    Receive,
    Scope,
    Send,
    answer,
    answer_json,
    start,
    until_gone,
)
from viewer.board import Key, View
from viewer.feed import observe_first_sight
from viewer.live import Live
from viewer.painter import BOUNDARY, Painter
from viewer.pictures import Rendering
from viewer.state import StateReader

log = structlog.get_logger()

_NAME = r"(?P<name>[A-Za-z0-9_.-]{1,128})"
_MULTIPART = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
_MANY = "application/x-facestream-live"
_MAX_FPS = 240
_MAX_WIDTH_PX = 16_384
_MAX_CHANNELS = 64
# A browser that takes nothing for this long has gone without saying so.
_SEND_TIMEOUT_S = 30.0

Handler = Callable[[str, Query, Receive, Send], Awaitable[None]]


class Streams:
    """Answers the addresses below; `find` says whether one is among them.

    - `/stream/<camera>.mjpg`, `/stream/person/<slug>.mjpg`: MJPEG for any `<img>`
    - `/snapshot/<camera>.jpg`, `/snapshot/person/<slug>.jpg`: the newest frame
    - `/face/<slug>.jpg`: a person's face in the newest frame
    - `/live?camera=…&person=…`: several channels on one connection; browsers open six at most
    - `/api/state.json`

    `?w=` is the width in pixels there is room for, `?fps=` the most frames per second.
    """

    def __init__(
        self, live: Live, painter: Painter, state: StateReader, *, fps_limit: float, most: int
    ) -> None:
        self._live = live
        self._painter = painter
        self._state = state
        self._fps_limit = fps_limit
        self._most = most
        self._routes: list[tuple[re.Pattern[str], Handler]] = [
            (re.compile(pattern), handler)
            for pattern, handler in (
                (rf"/stream/{_NAME}\.mjpg", self._camera_stream),
                (rf"/stream/person/{_NAME}\.mjpg", self._person_stream),
                (rf"/snapshot/{_NAME}\.jpg", self._camera_snapshot),
                (rf"/snapshot/person/{_NAME}\.jpg", self._person_snapshot),
                (rf"/face/{_NAME}\.jpg", self._face),
                (r"/live", self._many),
                (r"/api/state\.json", self._answer_state),
            )
        ]

    def find(self, path: str) -> tuple[Handler, str] | None:
        """Who answers a path, and the name in it."""
        for pattern, handler in self._routes:
            if (match := pattern.fullmatch(path)) is not None:
                return handler, match.groupdict().get("name", "")
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose path `find` knows."""
        found = self.find(scope["path"])
        if found is None:
            await answer(send, 404, b"nothing here\n")
            return
        handler, name = found
        try:
            await handler(name, Query.of(scope), receive, send)
        except BadRequest as error:
            await answer(send, 400, f"{error}\n".encode())

    async def _camera_stream(self, name: str, query: Query, receive: Receive, send: Send) -> None:
        await self._stream(Key("camera", name), query, receive, send)

    async def _person_stream(self, name: str, query: Query, receive: Receive, send: Send) -> None:
        await self._stream(Key("person", name), query, receive, send)

    async def _camera_snapshot(self, name: str, query: Query, _: Receive, send: Send) -> None:
        await self._snapshot(Key("camera", name), query, send)

    async def _person_snapshot(self, name: str, query: Query, _: Receive, send: Send) -> None:
        await self._snapshot(Key("person", name), query, send)

    async def _stream(self, key: Key, query: Query, receive: Receive, send: Send) -> None:
        fps, width = self._pace(query), _width(query)
        if self._live.board.view(key) is None:
            await answer(send, 404, f"no {key.kind} {key.name}\n".encode())
            return
        if await self._full(send):
            return

        async def work() -> None:
            await start(send, 200, _MULTIPART, [])
            await _body(send, b"--" + BOUNDARY + b"\r\n")
            with self._live.watching([key]) as watch:
                async for view in watch.views(fps):
                    if (rendering := await self._render(view, width)) is not None:
                        await _body(send, rendering.part)
                        _seen(view)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await until_gone(receive, work())

    async def _many(self, _: str, query: Query, receive: Receive, send: Send) -> None:
        """Several channels: per frame one line of JSON, then as many bytes of JPEG as it says."""
        fps, width = self._pace(query), _width(query)
        keys = [Key("camera", name) for name in query.all("camera")]
        keys += [Key("person", name) for name in query.all("person")]
        if not 1 <= len(keys) <= _MAX_CHANNELS:
            raise BadRequest(f"name 1 to {_MAX_CHANNELS} channels: ?camera=hall&person=sam")
        if await self._full(send):
            return

        async def work() -> None:
            await start(send, 200, _MANY, [])
            with self._live.watching(keys) as watch:
                async for view in watch.views(fps):
                    if (rendering := await self._render(view, width)) is None:
                        continue
                    head = {**view.key._asdict(), "live": not view.caption}
                    head["bytes"] = len(rendering.jpeg)
                    await _body(send, json.dumps(head).encode() + b"\n")
                    await _body(send, rendering.jpeg)
                    _seen(view)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await until_gone(receive, work())

    async def _snapshot(self, key: Key, query: Query, send: Send) -> None:
        width = _width(query)
        view = self._live.board.view(key)
        if view is None:
            await answer(send, 404, f"no {key.kind} {key.name}\n".encode())
            return
        rendering = await self._render(view, width)
        if rendering is None:
            await answer(send, 502, b"the newest frame cannot be decoded\n")
            return
        moment = view.picture.captured_at if view.picture else None
        stamp = f"-{moment:%Y%m%dT%H%M%SZ}" if moment else ""
        name = quote(f"{key.name}{stamp}.jpg")
        header = (b"content-disposition", f'inline; filename="{name}"'.encode())
        await answer(send, 200, rendering.jpeg, "image/jpeg", [header])

    async def _face(self, name: str, _: Query, __: Receive, send: Send) -> None:
        view = self._live.board.view(Key("person", name))
        try:
            rendering = None if view is None else await self._painter.face(view)
        except RecordError:
            rendering = None
        if rendering is None:
            await answer(send, 404, b"no picture of this person yet\n")
            return
        await answer(send, 200, rendering.jpeg, "image/jpeg")

    async def _answer_state(self, _: str, __: Query, ___: Receive, send: Send) -> None:
        await answer_json(send, 200, self._state.read())

    async def _render(self, view: View, width: int) -> Rendering | None:
        try:
            return await self._painter.render(view, width)
        except RecordError as error:
            metrics.DROPS.labels(camera=view.key.name, reason="undrawable").inc()
            log.warning("frame cannot be drawn", channel=view.key.name, reason=error.reason)
            return None

    async def _full(self, send: Send) -> bool:
        if self._live.streams < self._most and not self._live.closed():
            return False
        await answer(send, 503, b"too many streams are open\n", headers=[(b"retry-after", b"5")])
        return True

    def _pace(self, query: Query) -> float:
        asked = query.number("fps", _MAX_FPS)
        limits = [fps for fps in (asked, self._fps_limit) if fps]
        return min(limits, default=0.0)


def _width(query: Query) -> int:
    return round(query.number("w", _MAX_WIDTH_PX))


def _seen(view: View) -> None:
    if view.picture is not None and not view.caption:
        observe_first_sight(view.picture)


async def _body(send: Send, chunk: bytes) -> None:
    async with timeout(_SEND_TIMEOUT_S):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
