from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from pydantic import ValidationError

from services.errors import SettingsError
from services.lifecycle.health import Health
from services.records.jpeg import jpeg_size
from tests.unit.viewer.pictures import mark, picture
from viewer.app import make_painter, make_site
from viewer.board import Board
from viewer.enrolled import people_of
from viewer.live import Live
from viewer.settings import ViewerSettings
from viewer.state import StateReader

Browser = Callable[..., Awaitable[httpx.Response]]


def visit(
    scene: Callable[[Browser, Board], Awaitable[None]], env: dict[str, str] | None = None
) -> None:
    """Runs a scene with a browser on a site that shows two cameras and Sam."""

    async def run() -> None:
        settings = ViewerSettings.load([], {"VIEWER_SECRET": "s" * 32} | (env or {}))
        board = Board(2)
        board.show(picture(1, "hall", mark("sam", "Sam <b>Smith</b>"), mark()))
        board.show(picture(1, "yard"))
        live = Live(board, asyncio.get_running_loop())
        painter = make_painter(settings)
        site = make_site(settings, live, painter, StateReader(board, Health()))
        transport = httpx.ASGITransport(app=site)
        async with httpx.AsyncClient(transport=transport) as client:

            async def get(
                path: str, host: str = "127.0.0.1", method: str = "GET"
            ) -> httpx.Response:
                return await client.request(method, f"http://{host}:5010{path}")

            await scene(get, board)
        painter.close()

    asyncio.run(run())


def test_the_page_has_every_camera_and_every_person() -> None:
    async def scene(get: Browser, _: Board) -> None:
        page = (await get("/")).text
        assert 'data-channel="camera:hall"' in page
        assert 'data-channel="camera:yard"' in page
        assert 'href="/person/sam"' in page
        assert 'src="/stream/hall.mjpg?w=640"' in page

    visit(scene)


def test_a_name_cannot_bring_markup_into_the_page() -> None:
    async def scene(get: Browser, _: Board) -> None:
        for path in ("/", "/person/sam"):
            page = (await get(path)).text
            assert "Sam &lt;b&gt;Smith&lt;/b&gt;" in page
            assert "<b>Smith" not in page

    visit(scene)


def test_an_empty_page_teaches_the_next_step() -> None:
    async def scene(get: Browser, board: Board) -> None:
        page = (await get("/")).text
        assert "facestream up --source hall=" in page
        assert 'href="/people"' in page

    visit(scene)


@pytest.mark.parametrize("path", ["/", "/camera/hall", "/person/sam"])
def test_what_is_there_is_served_and_kept_to_this_site(path: str) -> None:
    async def scene(get: Browser, _: Board) -> None:
        got = await get(path)
        assert got.status_code == 200
        policy = got.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["cross-origin-resource-policy"] == "same-origin"

    visit(scene)


@pytest.mark.parametrize(
    "path",
    ["/camera/none", "/stream/none.mjpg", "/snapshot/none.jpg", "/face/none.jpg", "/stream/x"],
)
def test_what_is_not_there_is_404(path: str) -> None:
    async def scene(get: Browser, board: Board) -> None:
        board.enrol([])
        assert (await get(path)).status_code == 404
        assert (await get("/stream/person/none.mjpg")).status_code == 404

    visit(scene)


def test_nothing_on_a_page_is_inline() -> None:
    async def scene(get: Browser, _: Board) -> None:
        for path in ("/", "/camera/hall", "/person/sam", "/camera/none"):
            page = (await get(path)).text
            assert " style=" not in page
            assert "<style" not in page
            assert " onload=" not in page
            assert page.count("<script") == page.count('<script src="/assets/')

    visit(scene)


def test_the_state_says_who_is_where() -> None:
    async def scene(get: Browser, _: Board) -> None:
        state = (await get("/api/state.json")).json()
        hall, yard = state["cameras"]
        assert (hall["name"], hall["people"], hall["unknown_faces"]) == ("hall", ["sam"], 1)
        assert (yard["stale"], yard["people"]) == (False, [])
        assert state["people"][0]["camera"] == "hall"
        assert state["people"][0]["here"]

    visit(scene)


def test_a_snapshot_is_the_newest_frame_in_the_width_asked_for() -> None:
    async def scene(get: Browser, _: Board) -> None:
        got = await get("/snapshot/hall.jpg?w=160")
        assert got.headers["content-type"] == "image/jpeg"
        assert got.headers["cache-control"] == "no-store"
        assert got.headers["cross-origin-resource-policy"] == "cross-origin"
        assert jpeg_size(got.content) == (160, 90)
        assert jpeg_size((await get("/face/sam.jpg")).content) == (96, 96)

    visit(scene)


def test_a_frame_that_cannot_be_drawn_is_an_error_of_its_own() -> None:
    async def scene(get: Browser, board: Board) -> None:
        board.show(picture(2, "hall", mark("sam"), jpeg=b"\xff\xd8 nonsense"))
        assert (await get("/snapshot/hall.jpg")).status_code == 502
        assert (await get("/")).status_code == 200

    visit(scene)


@pytest.mark.parametrize(
    "path",
    ["/stream/hall.mjpg?fps=-1", "/snapshot/hall.jpg?w=nan", "/snapshot/hall.jpg?w=x", "/live"],
)
def test_a_query_without_sense_is_refused_in_words(path: str) -> None:
    async def scene(get: Browser, _: Board) -> None:
        got = await get(path)
        assert got.status_code == 400
        assert len(got.text) > 10

    visit(scene)


def test_streams_are_only_read() -> None:
    async def scene(get: Browser, _: Board) -> None:
        assert (await get("/api/state.json", method="POST")).status_code == 405

    visit(scene)


def test_on_loopback_another_sites_name_is_refused() -> None:
    async def scene(get: Browser, _: Board) -> None:
        for host in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
            assert (await get("/", host)).status_code == 200
        for path in ("/", "/api/state.json", "/stream/hall.mjpg", "/events"):
            assert (await get(path, "evil.example")).status_code == 421

    visit(scene)


def test_the_names_allowed_are_a_setting() -> None:
    async def scene(get: Browser, _: Board) -> None:
        assert (await get("/", "cams.home")).status_code == 200
        assert (await get("/", "localhost")).status_code == 421

    visit(scene, {"ALLOWED_HOSTS": "cams.home"})


def test_an_address_that_is_not_loopback_answers_to_any_name() -> None:
    far = {"VIEWER_HOST": "192.0.2.1"}
    users = {"VIEWER_USERS": "true", "IDENTIFIER_URL": "http://127.0.0.1:5011"}
    assert ViewerSettings.load([], far | users).host_names is None
    # Without a login it is not listened on.
    assert ViewerSettings.load([], far).host_names is not None


def test_a_font_that_is_not_there_is_said_at_start() -> None:
    with pytest.raises(SettingsError, match="no such file"):
        ViewerSettings.load([], {"LABEL_FONT": "/nowhere/font.ttf"})


def test_one_persons_topic_can_be_shown_instead_of_all() -> None:
    assert ViewerSettings.load([], {}).shown_topics == ("faces.identified",)
    settings = ViewerSettings.load([], {"TOPICS": "faces.person.sam, faces.person.kim"})
    assert settings.shown_topics == ("faces.person.sam", "faces.person.kim")


def test_the_identifiers_list_of_people_is_read_strictly() -> None:
    part = {"people": [{"slug": "sam", "name": "Sam", "faces": 2}], "next": "c2Ft"}
    assert people_of(part) == ([("sam", "Sam")], "c2Ft")
    bads: list[dict[str, object]] = [{}, {"people": [1]}, {"people": [{"name": "x"}]}]
    for bad in bads:
        with pytest.raises(ValidationError):
            people_of(bad)
