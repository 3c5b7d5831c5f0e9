from __future__ import annotations

import asyncio
from types import SimpleNamespace

import httpx

from services.lifecycle.health import Health
from tests.unit.viewer.pictures import mark, noise, picture
from viewer.app import make_painter
from viewer.asgi import Receive, Scope, Send
from viewer.board import Board
from viewer.live import Live
from viewer.seats import Seats
from viewer.settings import ViewerSettings
from viewer.state import StateReader
from viewer.streams import Streams
from viewer.texts import Texts


def pictures(visitor: object, *paths: str) -> list[bytes]:
    """What somebody gets who was let in as `visitor`."""

    async def run() -> list[bytes]:
        board = Board(60)
        board.show(picture(1, "hall", mark("sam", "Sam"), mark(x=200), jpeg=noise()))
        painter = make_painter(ViewerSettings.load([], {}))
        live = Live(board, asyncio.get_running_loop())
        state, seats = StateReader(board, Health()), Seats(10, 10)
        streams = Streams(live, painter, state, seats, Texts(), fps_limit=0)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await streams({**scope, "visitor": visitor}, receive, send)

        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            got = [(await client.get(path)).raise_for_status().content for path in paths]
        painter.close()
        return got

    return asyncio.run(run())


def test_a_token_may_demand_what_a_query_then_does_not_undo() -> None:
    paths = ("/snapshot/hall.jpg?blur=0", "/snapshot/person/sam.jpg?blur=0")
    wanted = pictures(None, "/snapshot/hall.jpg?blur=1")[0]
    assert pictures(SimpleNamespace(blur=True), *paths) == [wanted, wanted]
    assert wanted not in pictures(SimpleNamespace(blur=False), *paths)


def test_a_visitor_who_demands_nothing_gets_what_the_query_says() -> None:
    clear, blurred = pictures(object(), "/snapshot/hall.jpg", "/snapshot/hall.jpg?blur=1")
    assert clear != blurred
