"""Frames go from memory to the browser's socket, with no copy of them on the way.

asyncio keeps what the kernel does not take in a buffer per browser, and uvicorn joins and frames
every chunk anew: at 400 browsers that is most of the work and all of the memory. So a stream has
uvicorn send the head and the end of its answer, and in between writes to the connection itself.
Where it cannot (TLS, another server), the same bytes go the ordinary way of ASGI.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import is_ssl

from viewer.asgi import App, Receive, Scope, Send

EXTENSION = "facestream.wire"
# A browser that takes nothing for this long has gone without saying so.
PATIENCE_S = 30.0
# Closing with this drops what the kernel still holds for a browser that does not take it.
_AT_ONCE = struct.pack("ii", 1, 0)


class Sink(Protocol):
    """Where the body of a streamed answer goes."""

    async def write(self, *pieces: bytes) -> None:
        """Send pieces, one after the other; returns when the browser's side has taken them.

        Raises:
            ConnectionError: the browser has gone.
            TimeoutError: it has taken nothing for a while.
        """


class AsgiSink:
    """The way every ASGI server has."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def write(self, *pieces: bytes) -> None:
        """See `Sink`."""
        async with asyncio.timeout(PATIENCE_S):
            await self._chunk(b"".join(pieces))
            # Waits until the server has handed that on: the next frame is to be the newest then.
            await self._chunk(b"")

    async def _chunk(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})


class WireSink:
    """The connection's own socket.

    Args:
        wire: connected, not blocking.
        chunked: whether the head said so (RFC 9112, 7.1); if not, the end is the end of the
            connection.
        patience_s: longest time in which the browser may take nothing.
    """

    def __init__(self, wire: socket.socket, *, chunked: bool, patience_s: float) -> None:
        self._wire = wire
        self._chunked = chunked
        self._patience_s = patience_s

    async def write(self, *pieces: bytes) -> None:
        """See `Sink`."""
        total = sum(map(len, pieces))
        if not total:
            return
        if self._chunked:
            pieces = (size := b"%x\r\n" % total, *pieces, b"\r\n")
            total += len(size) + 2
        sent = self._put(pieces)
        if sent < total:
            await self._rest([memoryview(piece) for piece in pieces], sent)

    async def _rest(self, pieces: list[memoryview], sent: int) -> None:
        while pieces := _after(pieces, sent):
            async with asyncio.timeout(self._patience_s):
                await _writable(self._wire)
            sent = self._put(pieces)

    def _put(self, pieces: tuple[bytes, ...] | list[memoryview]) -> int:
        try:
            return self._wire.sendmsg(pieces)
        except (BlockingIOError, InterruptedError):
            return 0
        except (ConnectionError, TimeoutError):
            raise
        except OSError as error:
            raise ConnectionAbortedError(error.strerror) from error


class WireProtocol(H11Protocol):
    """uvicorn's HTTP, which also offers the connection itself to whoever streams."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by asyncio."""
        super().connection_made(transport)
        self.app = self._offering(self.app)

    def cut_off(self) -> None:
        """End the connection, with what its browser did not take."""
        if not self.transport.is_closing():
            wire = self.transport.get_extra_info("socket")
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self.transport.abort()

    @asynccontextmanager
    async def sink(self, *, chunked: bool) -> AsyncIterator[WireSink]:
        """The socket, for the length of the block; an error in it ends the connection.

        Between two chunks uvicorn may send again, in the middle of one nobody may.

        Raises:
            ConnectionError: the browser has gone.
        """
        # What was sent before lies in front of what is sent past it.
        self.transport.set_write_buffer_limits(high=0)
        await self.flow.drain()
        if self.transport.is_closing():
            raise ConnectionAbortedError("the browser has gone")
        with self.transport.get_extra_info("socket").dup() as wire:
            try:
                yield WireSink(wire, chunked=chunked, patience_s=PATIENCE_S)
            except BaseException:
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                self.transport.abort()
                raise
        self.transport.set_write_buffer_limits()

    def _offering(self, app: App) -> App:
        async def offered(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[EXTENSION] = self
            await app(scope, receive, send)

        return offered


@asynccontextmanager
async def open_sink(scope: Scope, send: Send) -> AsyncIterator[Sink]:
    """Where to write the body of an answer whose head has been sent."""
    offered = scope.get("extensions", {}).get(EXTENSION)
    if isinstance(offered, WireProtocol) and not is_ssl(offered.transport):
        # What h11 does with an answer of unknown length.
        async with offered.sink(chunked=scope["http_version"] == "1.1") as sink:
            yield sink
    else:
        yield AsgiSink(send)


def cut_off(scope: Scope) -> None:
    """End the connection of a request whose browser takes nothing."""
    offered = scope.get("extensions", {}).get(EXTENSION)
    if isinstance(offered, WireProtocol):
        offered.cut_off()


def _after(pieces: list[memoryview], sent: int) -> list[memoryview]:
    """What is left of pieces when so many bytes of them are sent."""
    for at, piece in enumerate(pieces):
        if sent < len(piece):
            return [piece[sent:], *pieces[at + 1 :]]
        sent -= len(piece)
    return []


async def _writable(wire: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    room = asyncio.Event()
    loop.add_writer(wire, room.set)
    try:
        await room.wait()
    finally:
        loop.remove_writer(wire)
