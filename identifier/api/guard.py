"""Who may ask and how much may be sent, checked before anything is parsed."""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from identifier.access.checking import TokenCheck
from identifier.access.tokens import Token
from identifier.api.problems import Problem, problem, problem_of, respond
from identifier.api.scopes import is_open, needed
from services.access import Scope as Right

_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
_SAFE = ("GET", "HEAD", "OPTIONS")
_DISCARD_UP_TO = 8
_TOO_LARGE = "request-too-large"
_PRODUCERS: Final[frozenset[Right]] = frozenset({"producer"})


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask.

    Attributes:
        token: the bearer token that is good for everything, None when none is asked for.
        only_hosts: names the server may be addressed by; empty allows any. On loopback this
            keeps a page in the user's browser from reaching the API under a name of its own (DNS
            rebinding).
        max_body_bytes: of one request.
        check: what an API token is good for, None for one that is none; None where there are no
            API tokens. It may block, and is called off the event loop.
        producer_token: another bearer token, good for what producers do and nothing else.
    """

    token: str | None = field(repr=False)
    only_hosts: tuple[str, ...]
    max_body_bytes: int
    check: Callable[[str], Token | None] | None = field(default=None, repr=False)
    producer_token: str | None = field(default=None, repr=False)

    @classmethod
    def on_loopback(
        cls,
        host: str,
        token: str | None,
        max_body_bytes: int,
        check: Callable[[str], Token | None] | None = None,
        producer_token: str | None = None,
    ) -> Access:
        """Access for an API that only this machine reaches."""
        return cls(token, (*_LOOPBACK_HOSTS, host), max_body_bytes, check, producer_token)


class _BodyTooLargeError(Exception):
    """The body went over the limit while it was read."""


class Guard:
    """ASGI middleware that answers with a problem, or lets a request through.

    A body is counted while it is read, whatever its `Content-Length` claims. Without a token of
    its own the API takes requests that send none for its owner's; one that sends a token is held
    to it all the same.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._check = None if access.check is None else TokenCheck(access.check)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._foreign(scope, headers)
        refusal = refusal or await self._stranger(scope, headers)
        refusal = refusal or self._oversized(headers)
        if refusal is not None:
            await self._refuse(refusal, scope, receive, send)
            return
        await self._count(scope, receive, send)

    def _foreign(self, scope: Scope, headers: Headers) -> Problem | None:
        if self._access.only_hosts:
            if _host(f"//{headers.get('host', '')}") not in self._access.only_hosts:
                return problem(421, "wrong-host", "address this API as localhost or 127.0.0.1")
            origin = headers.get("origin") if scope["method"] not in _SAFE else None
            if origin is not None and _host(origin) not in self._access.only_hosts:
                return problem(403, "foreign-origin", "a page of another site may not do this")
        return None

    async def _stranger(self, scope: Scope, headers: Headers) -> Problem | None:
        """Why whoever asks may not; None when they may."""
        if is_open(scope["path"]):
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
        own = self._access.token
        if not given and own is None:
            return None
        if _same(given, own):
            return None
        try:
            scopes = await self._scopes(given)
        except DBAPIError as error:
            return problem_of(error)
        if scopes is None:
            sends = "API_TOKEN or an API token" if own is not None else "an API token, or no header"
            return problem(401, "no-token", f"send the header Authorization: Bearer with {sends}")
        scope_needed = needed(scope["method"], scope["path"])
        if scope_needed not in scopes:
            return problem(403, "missing-scope", f"this token lacks the scope {scope_needed}")
        return None

    async def _scopes(self, given: str) -> frozenset[Right] | None:
        """What a token that is not good for everything is good for; None for nothing."""
        if _same(given, self._access.producer_token):
            return _PRODUCERS
        return await self._check.scopes(given) if given and self._check else None

    def _oversized(self, headers: Headers) -> Problem | None:
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


def _same(given: str, token: str | None) -> bool:
    """Whether a token was given, in a time that does not tell how much of it is right."""
    return token is not None and hmac.compare_digest(given.encode(), token.encode())


def _host(address: str) -> str:
    """The name in an address, without scheme, port and brackets."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
