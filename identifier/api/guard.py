"""Who may ask and how much may be sent, checked before anything is parsed."""

from __future__ import annotations

import contextlib
import hmac
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from identifier.api.problems import Problem, problem, respond

_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
_SAFE = ("GET", "HEAD", "OPTIONS")
_OPEN_PATHS = ("/", "/api/v1/docs", "/api/v1/health")
_OPEN_FOLDER = "/api/v1/docs/"
_DISCARD_UP_TO = 8
_TOO_LARGE = "request-too-large"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask.

    Attributes:
        token: the bearer token, None when none is asked for.
        only_hosts: names the server may be addressed by; empty allows any. On loopback this
            keeps a page in the user's browser from reaching the API under a name of its own (DNS
            rebinding).
        max_body_bytes: of one request.
    """

    token: str | None = field(repr=False)
    only_hosts: tuple[str, ...]
    max_body_bytes: int

    @classmethod
    def on_loopback(cls, host: str, token: str | None, max_body_bytes: int) -> Access:
        """Access for an API that only this machine reaches."""
        return cls(token, (*_LOOPBACK_HOSTS, host), max_body_bytes)


def needs_token(path: str) -> bool:
    """Whether a path is closed to those without the token: all but health and the docs page."""
    return path not in _OPEN_PATHS and not path.startswith(_OPEN_FOLDER)


class _BodyTooLargeError(Exception):
    """The body went over the limit while it was read."""


class Guard:
    """ASGI middleware that answers with a problem, or lets a request through.

    A body is counted while it is read, whatever its `Content-Length` claims.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await self._refuse(refusal, scope, receive, send)
            return
        await self._count(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Problem | None:
        if self._access.only_hosts:
            if _host(f"//{headers.get('host', '')}") not in self._access.only_hosts:
                return problem(421, "wrong-host", "address this API as localhost or 127.0.0.1")
            origin = headers.get("origin") if scope["method"] not in _SAFE else None
            if origin is not None and _host(origin) not in self._access.only_hosts:
                return problem(403, "foreign-origin", "a page of another site may not do this")
        if self._access.token is not None and needs_token(scope["path"]):
            scheme, _, given = headers.get("authorization", "").partition(" ")
            expected = self._access.token.encode()
            if scheme.lower() != "bearer" or not hmac.compare_digest(
                given.strip().encode(), expected
            ):
                return problem(401, "no-token", "send the header Authorization: Bearer API_TOKEN")
        length = headers.get("content-length", "0")
        if not length.isdigit():
            return problem(400, "bad-request", "the header Content-Length is no number")
        if len(length) > 18 or int(length) > self._access.max_body_bytes:
            return self._too_large()
        return None

    def _too_large(self) -> Problem:
        allowed = {"bytes": float(self._access.max_body_bytes)}
        detail = f"the request has more than {self._access.max_body_bytes} bytes"
        return problem(413, _TOO_LARGE, detail).model_copy(update={"allowed": allowed})

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        read_bytes = 0

        def over() -> bool:
            return read_bytes > self._access.max_body_bytes

        async def counted() -> Message:
            nonlocal read_bytes
            message = await receive()
            read_bytes += len(message.get("body", b""))
            if over():
                raise _BodyTooLargeError
            return message

        async def unless_over(message: Message) -> None:
            if not over():
                await send(message)

        with contextlib.suppress(_BodyTooLargeError):
            await self._app(scope, counted, unless_over)
        if over():
            await self._refuse(self._too_large(), scope, receive, send)

    async def _refuse(self, found: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, after the body was read and thrown away: many clients look only then."""
        left = _DISCARD_UP_TO * self._access.max_body_bytes
        more = True
        while more and left > 0:
            message = await receive()
            more = message["type"] == "http.request" and message.get("more_body", False)
            left -= len(message.get("body", b""))
        await respond(found)(scope, receive, send)


def _host(address: str) -> str:
    """The name in an address, without scheme, port and brackets."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
