from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, MutableMapping
from typing import Any

import pytest

from viewer.wire import AsgiSink, WireSink, open_sink


def over_a_wire(
    scene: Callable[[WireSink, socket.socket], Coroutine[None, None, None]],
    *,
    chunked: bool = False,
    patience_s: float = 10,
) -> None:
    """Runs a scene with a sink and the browser's end of its connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        for end in (ours, theirs):
            end.setblocking(False)
        asyncio.run(scene(WireSink(ours, chunked=chunked, patience_s=patience_s), theirs))


async def received(theirs: socket.socket, length: int) -> bytes:
    got = b""
    while len(got) < length:
        got += await asyncio.get_running_loop().sock_recv(theirs, 65_536)
    return got


def test_pieces_arrive_in_their_order_however_little_room_there_is() -> None:
    pieces = (b"a" * 70_000, b"", b"b" * 3, b"c" * 200_000)

    async def scene(sink: WireSink, theirs: socket.socket) -> None:
        reading = asyncio.create_task(received(theirs, 2 * 270_003))
        await sink.write(*pieces)
        await sink.write(*pieces)
        assert await reading == 2 * b"".join(pieces)

    over_a_wire(scene)


def test_a_chunk_says_how_long_it_is_and_an_empty_one_is_none() -> None:
    async def scene(sink: WireSink, theirs: socket.socket) -> None:
        await sink.write(b"")
        await sink.write(b"four", b"teen bytes")
        assert await received(theirs, 19) == b"e\r\nfourteen bytes\r\n"

    over_a_wire(scene, chunked=True)


def test_who_takes_nothing_for_a_while_is_let_go() -> None:
    async def scene(sink: WireSink, _: socket.socket) -> None:
        with pytest.raises(TimeoutError):
            await sink.write(bytes(10_000_000))

    over_a_wire(scene, patience_s=0.05)


def test_who_takes_a_little_now_and_then_is_not_let_go() -> None:
    async def scene(sink: WireSink, theirs: socket.socket) -> None:
        writing = asyncio.create_task(sink.write(bytes(300_000)))
        got = 0
        while got < 300_000:
            await asyncio.sleep(0.01)
            got += len(await asyncio.get_running_loop().sock_recv(theirs, 16_384))
        await writing

    over_a_wire(scene, patience_s=5)


def test_who_has_gone_is_noticed() -> None:
    async def scene(sink: WireSink, theirs: socket.socket) -> None:
        theirs.close()
        with pytest.raises(ConnectionError):
            await sink.write(b"frame")

    over_a_wire(scene)


def test_under_another_server_the_same_bytes_go_the_way_of_asgi() -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def send(event: MutableMapping[str, Any]) -> None:
        sent.append(event)

    async def scene() -> None:
        async with open_sink({"type": "http", "http_version": "1.1"}, send) as sink:
            assert isinstance(sink, AsgiSink)
            await sink.write(b"a frame", b" in pieces")

    asyncio.run(scene())
    assert b"".join(event["body"] for event in sent) == b"a frame in pieces"
    assert all(event["more_body"] for event in sent)
