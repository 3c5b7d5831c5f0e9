from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tests.unit.viewer.pictures import picture
from viewer.board import Board, Key, View
from viewer.live import Live

HALL = Key("camera", "hall")
YARD = Key("camera", "yard")
WAIT_S = 5


async def _next(views: AsyncIterator[View]) -> int:
    view = await asyncio.wait_for(anext(views), WAIT_S)
    assert view.picture is not None
    return view.picture.seq


async def _is_waiting(views: AsyncIterator[View]) -> asyncio.Future[View]:
    pending = asyncio.ensure_future(anext(views))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not pending.done()
    return pending


def test_the_last_frame_comes_at_once_on_connect_and_none_comes_twice() -> None:
    async def scene() -> None:
        live = Live(Board(2), asyncio.get_running_loop())
        live.board.show(picture(3))
        with live.watching([HALL]) as watch:
            views = watch.views()
            assert await _next(views) == 3
            live.changed([HALL])
            pending = await _is_waiting(views)
            live.changed(live.board.show(picture(4)))
            assert (await asyncio.wait_for(pending, WAIT_S)).picture is not None

    asyncio.run(scene())


def test_a_slow_watcher_skips_to_the_newest_and_a_fast_one_sees_every_frame() -> None:
    async def scene() -> None:
        live = Live(Board(2), asyncio.get_running_loop())
        live.board.show(picture(0))
        with live.watching([HALL]) as slow, live.watching([HALL]) as fast:
            slow_views, fast_views = slow.views(), fast.views()
            assert await _next(slow_views) == 0
            assert await _next(fast_views) == 0
            for seq in range(1, 11):
                live.changed(live.board.show(picture(seq)))
                assert await _next(fast_views) == seq
            assert await _next(slow_views) == 10

    asyncio.run(scene())


def test_on_one_connection_channels_take_turns_however_busy_one_is() -> None:
    async def scene() -> None:
        live = Live(Board(2), asyncio.get_running_loop())
        live.board.show(picture(0, "hall"))
        live.board.show(picture(0, "yard"))
        with live.watching([HALL, YARD]) as watch:
            views = watch.views()
            seen = []
            for seq in range(1, 9):
                view = await asyncio.wait_for(anext(views), WAIT_S)
                seen.append(view.key.name)
                live.changed(live.board.show(picture(seq, "hall")))
                live.changed(live.board.show(picture(seq, "yard")))
            assert seen.count("hall") == seen.count("yard") == 4

    asyncio.run(scene())


def test_a_rate_asked_for_is_kept() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        live = Live(Board(60), loop)
        live.board.show(picture(0))
        with live.watching([HALL]) as watch:
            views = watch.views(fps=50)
            await _next(views)
            began_s = loop.time()
            for seq in range(1, 11):
                live.changed(live.board.show(picture(seq)))
                await _next(views)
            assert loop.time() - began_s >= 0.17

    asyncio.run(scene())


def test_every_stream_ends_when_the_viewer_stops() -> None:
    async def scene() -> None:
        live = Live(Board(2), asyncio.get_running_loop())
        live.board.show(picture(0))
        with live.watching([HALL]) as watch:
            seen = []

            async def stream() -> None:
                seen.extend([view async for view in watch.views()])

            streaming = asyncio.create_task(stream())
            await asyncio.sleep(0)
            live.close()
            await asyncio.wait_for(streaming, WAIT_S)
        live.changed([HALL])
        assert live.streams == 0

    asyncio.run(scene())


def test_the_stream_of_a_forgotten_camera_ends() -> None:
    async def scene() -> None:
        live = Live(Board(2, forget_after_s=0), asyncio.get_running_loop())
        live.board.show(picture(0))
        with live.watching([HALL]) as watch:
            views = watch.views()
            await _next(views)
            live.changed(live.board.tick())
            assert [view async for view in views] == []

    asyncio.run(scene())
