"""The moving part of the page: MJPEG, one stream of several channels, snapshots and the state."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import quote

import structlog

from services.errors import RecordError
from services.lifecycle import metrics
from viewer.asgi import (
    BadRequest,
    Headers,
    Query,
    Receive,
    Request,
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
from viewer.pictures import Rendering, Style
from viewer.seats import NoSeat, Seats, holder_of
from viewer.state import StateReader
from viewer.texts import Texts
from viewer.wire import open_sink

log = structlog.get_logger()

_NAME = r"(?P<name>[A-Za-z0-9_.-]{1,128})"
_MULTIPART = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
_OPENING = b"--" + BOUNDARY + b"\r\n"
_MANY = "application/x-facestream-live"
_MAX_FPS = 240
_MAX_WIDTH_PX = 16_384
_MAX_CHANNELS = 64
_LATER: Headers = [(b"retry-after", b"5")]

Handler = Callable[[str, Request], Awaitable[None]]
Packing = Callable[[View, Rendering], tuple[bytes, ...]]
"""The bytes by which a stream carries a frame."""


class Streams:
    """Answers the addresses below; `find` says whether one is among them.

    - `/stream/<camera>.mjpg`, `/stream/person/<slug>.mjpg`: MJPEG for any `<img>`
    - `/snapshot/<camera>.jpg`, `/snapshot/person/<slug>.jpg`: the newest frame
    - `/face/<slug>.jpg`: a person's face in the newest frame
    - `/live?camera=…&person=…`: several channels on one connection; browsers open six at most
    - `/api/state.json`

    `?w=` is the width in pixels there is room for, `?fps=` the most frames per second;
    `?names=0` and `?boxes=0` leave those out, `?blur=1` blurs the heads of unknown people. A
    visitor whose token demands that (`scope["visitor"].blur`) gets nothing else.
    """

    def __init__(
        self,
        live: Live,
        painter: Painter,
        state: StateReader,
        seats: Seats,
        texts: Texts,
        *,
        fps_limit: float,
    ) -> None:
        self._live = live
        self._painter = painter
        self._state = state
        self._seats = seats
        self._texts = texts
        self._fps_limit = fps_limit
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
            await answer(send, 404, self._texts.line("streams.nothing"))
            return
        handler, name = found
        try:
            await handler(name, Request(scope, Query.of(scope), receive, send))
        except BadRequest as error:
            await answer(send, 400, self._texts.line(error.key, **error.values))

    async def _camera_stream(self, name: str, request: Request) -> None:
        await self._stream(Key("camera", name), request)

    async def _person_stream(self, name: str, request: Request) -> None:
        await self._stream(Key("person", name), request)

    async def _camera_snapshot(self, name: str, request: Request) -> None:
        await self._snapshot(Key("camera", name), request)

    async def _person_snapshot(self, name: str, request: Request) -> None:
        await self._snapshot(Key("person", name), request)

    async def _stream(self, key: Key, request: Request) -> None:
        if self._live.board.view(key) is None:
            await answer(
                request.send, 404, self._texts.line(f"streams.no_{key.kind}", name=key.name)
            )
            return
        await self._moving([key], request, _MULTIPART, _as_part, _OPENING)

    async def _many(self, _: str, request: Request) -> None:
        """Several channels: per frame one line of JSON, then as many bytes of JPEG as it says."""
        keys = [Key("camera", name) for name in request.query.all("camera")]
        keys += [Key("person", name) for name in request.query.all("person")]
        if not 1 <= len(keys) <= _MAX_CHANNELS:
            raise BadRequest("streams.bad_channels", n=_MAX_CHANNELS)
        await self._moving(keys, request, _MANY, _with_line)

    async def _moving(
        self, keys: list[Key], request: Request, kind: str, pack: Packing, opening: bytes = b""
    ) -> None:
        fps, width, style = self._pace(request.query), _width(request.query), _style(request)
        send = request.send
        if self._live.closed():
            await answer(send, 503, self._texts.line("streams.stopping"), headers=_LATER)
            return

        async def work() -> None:
            await start(send, 200, kind, [])
            if not request.head_only:
                with self._live.watching(keys) as watch:
                    async with open_sink(request.scope, send) as sink:
                        await sink.write(opening)
                        async for view in watch.views(fps):
                            if (rendering := await self._render(view, width, style)) is not None:
                                await sink.write(*pack(view, rendering))
                                _seen(view)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        try:
            with self._seats.seat(holder_of(request.scope)), suppress(ConnectionError):
                await until_gone(request.receive, work())
        except NoSeat as none:
            said = self._texts.line(none.key, **none.values)
            await answer(send, none.status, said, headers=_LATER)

    async def _snapshot(self, key: Key, request: Request) -> None:
        width, style = _width(request.query), _style(request)
        view = self._live.board.view(key)
        if view is None:
            await answer(
                request.send, 404, self._texts.line(f"streams.no_{key.kind}", name=key.name)
            )
            return
        rendering = await self._render(view, width, style)
        if rendering is None:
            await answer(request.send, 502, self._texts.line("streams.undecodable"))
            return
        moment = view.picture.captured_at if view.picture else None
        stamp = f"-{moment:%Y%m%dT%H%M%SZ}" if moment else ""
        name = quote(f"{key.name}{stamp}.jpg")
        header = (b"content-disposition", f'inline; filename="{name}"'.encode())
        await answer(request.send, 200, rendering.jpeg, "image/jpeg", [header])

    async def _face(self, name: str, request: Request) -> None:
        style = _style(request)
        view = self._live.board.view(Key("person", name))
        try:
            rendering = None if view is None else await self._painter.face(view, style)
        except RecordError:
            rendering = None
        if rendering is None:
            await answer(request.send, 404, self._texts.line("streams.no_face"))
            return
        await answer(request.send, 200, rendering.jpeg, "image/jpeg")

    async def _answer_state(self, _: str, request: Request) -> None:
        await answer_json(request.send, 200, self._state.read())

    async def _render(self, view: View, width: int, style: Style) -> Rendering | None:
        try:
            return await self._painter.render(view, width, style)
        except RecordError as error:
            metrics.DROPS.labels(camera=view.key.name, reason="undrawable").inc()
            log.warning("frame cannot be drawn", channel=view.key.name, reason=error.reason)
            return None

    def _pace(self, query: Query) -> float:
        asked = query.number("fps", _MAX_FPS)
        limits = [fps for fps in (asked, self._fps_limit) if fps]
        return min(limits, default=0.0)


def _width(query: Query) -> int:
    return round(query.number("w", _MAX_WIDTH_PX))


def _style(request: Request) -> Style:
    query = request.query
    blur = query.flag("blur", default=False)
    demanded: bool = getattr(request.scope.get("visitor"), "blur", False)
    return Style(
        names=query.flag("names", default=True),
        boxes=query.flag("boxes", default=True),
        blur=blur or demanded,
    )


def _as_part(_: View, rendering: Rendering) -> tuple[bytes, ...]:
    return (rendering.part,)


def _with_line(view: View, rendering: Rendering) -> tuple[bytes, ...]:
    head = {**view.key._asdict(), "live": not view.caption, "bytes": len(rendering.jpeg)}
    return json.dumps(head).encode() + b"\n", rendering.jpeg


def _seen(view: View) -> None:
    if view.picture is not None and not view.caption:
        observe_first_sight(view.picture)
