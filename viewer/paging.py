"""Pages through Flask, on a few threads: none of them waits for a browser for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import structlog
from a2wsgi import WSGIMiddleware
from flask import Flask
from werkzeug.wsgi import ClosingIterator

from viewer import wire
from viewer.asgi import App, Event, Headers, Receive, Scope, Send
from viewer.bodies import Bodies, Body, NotTaken, SenderGone
from viewer.texts import Texts

log = structlog.get_logger()

_THREADS = 8
_ASKED = "facestream.asked"
_PIECE_BYTES = 65_536
_RETRY_S = 5

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Pages:
    """The pages as an ASGI application.

    A body is there whole before a thread is taken. An answer ends soon after its reader has left,
    and a reader who takes nothing for `wire.PATIENCE_S` is let go; a page whose answer is made
    while it is sent is not asked to go on with it then.

    Args:
        flask: makes the pages. It shows `scope["refusal"]`, status and sentence, where that is set.
        texts: every sentence.
    """

    def __init__(self, flask: Flask, texts: Texts) -> None:
        self._flask = flask
        self._texts = texts
        self._bodies = Bodies()
        # a2wsgi types the WSGI and ASGI callables more narrowly than either standard.
        self._threads: App = WSGIMiddleware(self._ask, workers=_THREADS)  # type: ignore[arg-type, assignment]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope.get("refusal") is not None:
            await self._answer(scope, receive, send, Body.empty())
            return
        try:
            async with self._bodies.whole(scope, receive) as body:
                await self._answer(scope, receive, send, body)
        except NotTaken as refused:
            scope["refusal"] = (refused.status, self._texts(refused.text))
            send = _adding(send, _headers_of(refused))
            await self._answer(scope, receive, send, Body.empty())
        except SenderGone:
            pass

    async def _answer(self, scope: Scope, receive: Receive, send: Send, body: Body) -> None:
        reader = _Reader(scope, send)
        scope[_ASKED] = _Asked(body, reader)
        watching = asyncio.create_task(reader.watch(receive))
        try:
            await self._threads(scope, _nothing_more, reader.send)
        finally:
            reader.gone = True
            watching.cancel()

    def _ask(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Called in a thread."""
        asked: _Asked = environ["asgi.scope"][_ASKED]
        environ["wsgi.input"] = asked.body.file
        # It is whole here, also where it came in chunks.
        environ["CONTENT_LENGTH"] = str(asked.body.size_bytes)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        answer = self._flask(environ, start_response)
        read = takewhile(lambda _: not asked.reader.gone, answer)
        return ClosingIterator(read, getattr(answer, "close", None))


class _Reader:
    """Who gets an answer; `gone` may be read in any thread."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.gone = False

    async def watch(self, receive: Receive) -> None:
        """Notice when they leave."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone = True

    async def send(self, event: Event) -> None:
        """Send an event; what nobody reads goes nowhere.

        In pieces, so that the patience is for taking nothing and not for being slow. It raises
        nothing: the thread would wait for ever to hand on what comes next.
        """
        body: bytes = event.get("body", b"")
        if len(body) <= _PIECE_BYTES:
            await self._give(event)
            return
        more = event.get("more_body", False)
        for at in range(0, len(body), _PIECE_BYTES):
            end = at + _PIECE_BYTES
            more_body = more or end < len(body)
            await self._give({**event, "body": body[at:end], "more_body": more_body})

    async def _give(self, event: Event) -> None:
        if self.gone:
            return
        try:
            async with asyncio.timeout(wire.PATIENCE_S):
                await self._send(event)
        except TimeoutError:
            self.gone = True
            wire.cut_off(self._scope)
            log.info("a browser took nothing for a while and was let go", path=self._scope["path"])


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a thread needs of a request."""

    body: Body
    reader: _Reader


async def _nothing_more() -> Event:
    return {"type": "http.disconnect"}


def _headers_of(refused: NotTaken) -> Headers:
    if refused.status == 408:
        # The rest of the body may still come: nobody waits for it.
        return [(b"connection", b"close")]
    return [(b"retry-after", b"%d" % _RETRY_S)] if refused.status == 503 else []


def _adding(send: Send, headers: Headers) -> Send:
    async def sending(event: Event) -> None:
        if event["type"] == "http.response.start":
            event = {**event, "headers": [*event["headers"], *headers]}
        await send(event)

    return sending
