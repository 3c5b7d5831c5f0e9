"""The little of ASGI that streams need: a request, an answer, an end when the browser leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

# What ASGI itself says: the values are of many types.
Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_LONGEST_QUERY = 16_384


class BadRequest(Exception):  # noqa: N818 - it is one
    """The query makes no sense.

    Attributes:
        key: of the text that says why.
        values: for its places.
    """

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


@dataclass(frozen=True, slots=True)
class Query:
    """The query of an address: `?w=640&fps=5`."""

    values: dict[str, list[str]]

    @classmethod
    def of(cls, scope: Scope) -> Query:
        """Read it from a request.

        Raises:
            BadRequest: it is too long.
        """
        raw: bytes = scope.get("query_string", b"")
        if len(raw) > _LONGEST_QUERY:
            raise BadRequest("streams.long_query", bytes=_LONGEST_QUERY)
        return cls(parse_qs(raw.decode("latin-1"), keep_blank_values=True))

    def all(self, name: str) -> list[str]:
        """Every value given under a name."""
        return self.values.get(name, [])

    def number(self, name: str, highest: float) -> float:
        """A number from 0 to `highest`; 0 where it is not given.

        Raises:
            BadRequest: it is anything else.
        """
        given = self.values.get(name, ["0"])[-1]
        try:
            number = float(given)
        except ValueError:
            number = -1.0
        if not 0 <= number <= highest:
            raise BadRequest("streams.bad_number", name=name, highest=f"{highest:g}")
        return number

    def flag(self, name: str, *, default: bool) -> bool:
        """Whether something is wanted: 1 or 0.

        Raises:
            BadRequest: it is anything else.
        """
        given = self.values.get(name, ["1" if default else "0"])[-1]
        if given not in ("0", "1"):
            raise BadRequest("streams.bad_flag", name=name)
        return given == "1"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for, and the two ends of the answer."""

    scope: Scope
    query: Query
    receive: Receive
    send: Send

    @property
    def head_only(self) -> bool:
        """Whether the head of the answer is all that is wanted."""
        return bool(self.scope["method"] == "HEAD")


async def answer(
    send: Send,
    status: int,
    body: bytes = b"",
    kind: str = "text/plain; charset=utf-8",
    headers: Headers | None = None,
) -> None:
    """Send a whole answer."""
    await start(send, status, kind, [*(headers or []), (b"content-length", b"%d" % len(body))])
    await send({"type": "http.response.body", "body": body})


async def answer_json(send: Send, status: int, document: object) -> None:
    """Send a JSON document."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    await answer(send, status, body, "application/json")


async def start(send: Send, status: int, kind: str, headers: Headers) -> None:
    """Send the head of an answer; a live picture is never kept by a cache."""
    head = [(b"content-type", kind.encode()), (b"cache-control", b"no-store"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})


async def until_gone(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, but no longer than the browser stays."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        stopped_early = working.cancel()
    if not stopped_early:
        working.result()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
