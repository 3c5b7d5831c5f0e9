"""Bodies of requests: taken in whole before a page is asked for, by the event loop.

A page has one of a few threads. If it read the body itself, a browser that sends half of one and
stays would keep that thread for as long as it likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Final

import structlog

from viewer.access.paths import is_open
from viewer.access.proxies import header
from viewer.asgi import Receive, Scope

log = structlog.get_logger()

MOST_BODY_BYTES: Final = 64 * 1024 * 1024
_STRANGERS_ROOM_BYTES = 32 * 1024 * 1024
_ROOM_BYTES = 512 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken of one sender.

    Attributes:
        most_bytes: of a body.
        within_s: until all of it is there.
        pause_s: between two parts of it.
    """

    most_bytes: int
    within_s: float
    pause_s: float


STRANGERS = Limits(65_536, within_s=10, pause_s=10)
VISITORS = Limits(MOST_BODY_BYTES, within_s=900, pause_s=30)


class NotTaken(Exception):  # noqa: N818 - a state, not a fault
    """A body is not taken: the status to answer, and the text that says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class SenderGone(Exception):  # noqa: N818 - a state, not a fault
    """The browser left before the end of its body."""


@dataclass(frozen=True, slots=True)
class Body:
    """A whole body: a file that stands at its beginning, and its length."""

    file: IO[bytes]
    size_bytes: int

    @classmethod
    def empty(cls) -> Body:
        """Of a request that has none, or whose body nobody wants."""
        return cls(BytesIO(), 0)


class Bodies:
    """Takes bodies in; belongs to the event loop.

    Those who are not known yet, on the paths open to all, send little and soon. What lies here at
    once is bounded, theirs apart from the others': nobody keeps those who are logged in from
    sending. More than a piece goes to a temporary file.
    """

    def __init__(self) -> None:
        self._strangers_room = _Room(_STRANGERS_ROOM_BYTES)
        self._room = _Room(_ROOM_BYTES)

    @asynccontextmanager
    async def whole(self, scope: Scope, receive: Receive) -> AsyncIterator[Body]:
        """The body of a request, for the length of the block.

        Raises:
            NotTaken: it is too long, too slow, or there is no room.
            SenderGone: nobody waits for an answer.
        """
        stranger = is_open(scope["path"])
        limits = STRANGERS if stranger else VISITORS
        room = self._strangers_room if stranger else self._room
        if _declared_bytes(scope) > limits.most_bytes:
            raise NotTaken(413, "access.body_too_large")
        with SpooledTemporaryFile(_PIECE_BYTES) as file, room.share() as take:
            try:
                async with asyncio.timeout(limits.within_s):
                    size_bytes = await _pour(receive, file, limits, take)
            except TimeoutError:
                raise NotTaken(408, "access.body_too_slow") from None
            except OSError as error:
                log.warning("a request cannot be kept", path=scope["path"], why=error.strerror)
                raise NotTaken(503, "access.body_no_room") from None
            file.seek(0)
            yield Body(file, size_bytes)


class _Room:
    """How many bytes may lie here at once."""

    def __init__(self, most_bytes: int) -> None:
        self._left_bytes = most_bytes

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """What one request takes of it, and gives back after the block."""
        taken_bytes = 0

        def take(more_bytes: int) -> None:
            nonlocal taken_bytes
            if more_bytes > self._left_bytes:
                raise NotTaken(503, "access.body_no_room")
            self._left_bytes -= more_bytes
            taken_bytes += more_bytes

        try:
            yield take
        finally:
            self._left_bytes += taken_bytes


def _declared_bytes(scope: Scope) -> int:
    """What the head says; h11 has refused what is no number. 0 where it says nothing."""
    given = header(scope, "content-length")
    return int(given) if given.isdecimal() else 0


async def _pour(
    receive: Receive,
    file: SpooledTemporaryFile[bytes],
    limits: Limits,
    take: Callable[[int], None],
) -> int:
    """Write a body into a file; returns its length."""
    piece = bytearray()
    size_bytes = 0
    more = True
    while more:
        async with asyncio.timeout(limits.pause_s):
            event = await receive()
        if event["type"] == "http.disconnect":
            raise SenderGone
        part: bytes = event.get("body", b"")
        more = event.get("more_body", False)
        size_bytes += len(part)
        if size_bytes > limits.most_bytes:
            raise NotTaken(413, "access.body_too_large")
        take(len(part))
        piece += part
        if len(piece) >= _PIECE_BYTES:
            # A disk may be slow, and streams go on meanwhile.
            await asyncio.to_thread(file.write, bytes(piece))
            piece.clear()
    if size_bytes < _PIECE_BYTES:
        file.write(piece)
    else:
        await asyncio.to_thread(file.write, bytes(piece))
    return size_bytes
