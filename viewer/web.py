"""The whole site as one ASGI application: streams by themselves, pages through Flask."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog

from viewer.access.gate import Gate
from viewer.asgi import Event, Headers, Receive, Scope, Send, answer
from viewer.events import Events
from viewer.paging import Pages
from viewer.push import Push, camera_of, csrf_ok
from viewer.streams import Streams
from viewer.texts import Texts

log = structlog.get_logger()

# Streams and snapshots may be shown by other sites' pages (a dashboard); nothing else may.
_SHARED = ("/stream/", "/snapshot/")
_HEADERS: Headers = [
    (
        b"content-security-policy",
        b"default-src 'none'; img-src 'self' blob:; script-src 'self'; style-src 'self'; "
        b"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
        b"frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
]


@dataclass(frozen=True, slots=True)
class Rooms:
    """What answers.

    Attributes:
        gate: who is let in.
        streams: the moving part.
        events: who comes and goes.
        push: browsers that are cameras.
        pages: the rest.
        texts: every sentence.
    """

    gate: Gate
    streams: Streams
    events: Events
    push: Push
    pages: Pages
    texts: Texts


class Site:
    """Checks the host, has the gate find out who asks, adds security headers, and hands on.

    Args:
        rooms: what answers.
        host_names: names a request may be for, lower case; None for any. Without the check a
            site elsewhere could let its own name point here and read the cameras (DNS rebinding).
    """

    def __init__(self, rooms: Rooms, host_names: frozenset[str] | None) -> None:
        self._rooms = rooms
        self._host_names = host_names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise NotImplementedError(f"no {scope['type']} here")
        send = _with_headers(send, shared=scope["path"].startswith(_SHARED))
        if self._host_allowed(scope):
            await self._rooms.gate.serve(self._answer, scope, receive, send)
        else:
            await answer(send, 421, self._rooms.texts.line("access.wrong_host"))

    async def close(self) -> None:
        """End what it has open elsewhere."""
        self._rooms.gate.close()
        await self._rooms.push.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        rooms = self._rooms
        if scope["path"] == "/events":
            await rooms.events(scope, receive, send)
        elif camera_of(scope["path"]) is not None:
            if csrf_ok(scope, scope["visitor"]):
                await rooms.push(scope, receive, send)
            else:
                await answer(send, 403, rooms.texts.line("access.old_page"))
        elif rooms.streams.find(scope["path"]) is None:
            await rooms.pages(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            said = rooms.texts.line("streams.get_only")
            await answer(send, 405, said, headers=[(b"allow", b"GET, HEAD")])
        else:
            try:
                await rooms.streams(scope, receive, send)
            except TimeoutError:
                log.info("a browser took nothing for a while and was let go", path=scope["path"])

    def _host_allowed(self, scope: Scope) -> bool:
        if self._host_names is None:
            return True
        given = [value for name, value in scope["headers"] if name == b"host"]
        if len(given) != 1:
            return False
        try:
            host = urlsplit(f"//{given[0].decode('latin-1')}").hostname
        except ValueError:
            return False
        return host is not None and host in self._host_names


def _with_headers(send: Send, *, shared: bool) -> Send:
    resource = b"cross-origin" if shared else b"same-origin"

    async def sending(event: Event) -> None:
        if event["type"] == "http.response.start":
            extra = [*_HEADERS, (b"cross-origin-resource-policy", resource)]
            event = {**event, "headers": [*event["headers"], *extra]}
        await send(event)

    return sending
