"""Frames of browsers on their way to the ingest, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn

from viewer.access.visitors import Visitor
from viewer.asgi import App, Receive, Scope, Send, answer
from viewer.push import MOST_BYTES, Push, csrf_ok
from viewer.texts import Texts

JPEG = b"\xff\xd8\xff" + bytes(50_000)
HEADERS = {
    "X-Captured-At": "2026-01-02T03:04:05.678Z",
    "X-Session": "6c0a3f8e-8d55-4b8a-9d6e-0f5c0d6a7b10",
}


@dataclass
class Ingest:
    """Stands where the producer's ingest is: keeps what it is sent, answers as it is told."""

    status: int = 202
    document: dict[str, object] = field(default_factory=lambda: {"seq": 0})
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    given: list[dict[str, str]] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        self.paths.append(scope["path"])
        self.bodies.append(body)
        self.given.append({name.decode(): value.decode() for name, value in scope["headers"]})
        self.connections.add(tuple(scope["client"]))
        kind = "application/json" if self.status == 202 else "application/problem+json"
        await answer(send, self.status, json.dumps(self.document).encode(), kind, self.headers)


@asynccontextmanager
async def served(app: App) -> AsyncIterator[str]:
    """An application on a real port; gives its address."""
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


Browser = Callable[..., Awaitable[httpx.Response]]


def visit(scene: Callable[[Browser], Awaitable[None]], ingest: Ingest, token: str | None) -> None:
    """Runs a scene with a browser whose frames the ingest is to get."""

    async def run() -> None:
        async with served(ingest) as ingest_url:
            push = Push(ingest_url + "/", Texts(), token)
            async with served(push) as url, httpx.AsyncClient(base_url=url) as client:

                async def post(
                    path: str = "/push/phone-3f",
                    body: bytes | AsyncIterator[bytes] = JPEG,
                    method: str = "POST",
                ) -> httpx.Response:
                    return await client.request(method, path, content=body, headers=HEADERS)

                await scene(post)
            await push.close()

    asyncio.run(run())


def test_a_frame_goes_on_whole_with_its_time_and_session() -> None:
    ingest = Ingest(document={"seq": 17})

    async def scene(post: Browser) -> None:
        got = await post()
        assert (got.status_code, got.json()) == (202, {"seq": 17})

    visit(scene, ingest, "the ingest's token")
    assert ingest.paths == ["/push/phone-3f"]
    assert ingest.bodies == [JPEG]
    (given,) = ingest.given
    assert given["x-captured-at"] == HEADERS["X-Captured-At"]
    assert given["x-session"] == HEADERS["X-Session"]
    assert given["content-type"] == "image/jpeg"
    assert given["authorization"] == "Bearer the ingest's token"


def test_frames_share_one_connection() -> None:
    ingest = Ingest()

    async def scene(post: Browser) -> None:
        for _ in range(5):
            assert (await post()).status_code == 202

    visit(scene, ingest, None)
    assert len(ingest.bodies) == 5
    assert len(ingest.connections) == 1
    assert "authorization" not in ingest.given[0]


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422, 429])
def test_what_the_ingest_says_of_a_frame_the_browser_is_told(status: int) -> None:
    problem: dict[str, object] = {"status": status, "reason": "such", "detail": "It is such."}
    ingest = Ingest(status, problem, [(b"retry-after", b"2")])

    async def scene(post: Browser) -> None:
        got = await post()
        assert (got.status_code, got.json()) == (status, problem)
        assert got.headers["content-type"] == "application/problem+json"
        assert got.headers["retry-after"] == "2"

    visit(scene, ingest, None)


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_a_fault_between_viewer_and_ingest_is_not_the_browser_s(status: int) -> None:
    ingest = Ingest(status, {"detail": "a word about tokens"})

    async def scene(post: Browser) -> None:
        got = await post()
        assert (got.status_code, got.json()["reason"]) == (503, "ingest-refuses")
        assert "INGEST_TOKEN" in got.json()["detail"]

    visit(scene, ingest, "wrong")


def test_a_frame_that_is_too_large_goes_no_further() -> None:
    ingest = Ingest()

    async def chunks() -> AsyncIterator[bytes]:
        # Sent in chunks, a body does not say its length beforehand.
        for _ in range(11):
            yield bytes(1024 * 1024)

    async def scene(post: Browser) -> None:
        for body in (bytes(MOST_BYTES + 1), chunks()):
            got = await post(body=body)
            assert (got.status_code, got.json()["reason"]) == (413, "too-large")

    visit(scene, ingest, None)
    assert ingest.bodies == []


@pytest.mark.parametrize("name", ["..", "a b", "ä", "x" * 65])
def test_a_name_that_no_camera_can_have_goes_no_further(name: str) -> None:
    ingest = Ingest()

    async def scene(post: Browser) -> None:
        got = await post(f"/push/{name.replace('..', '%2e%2e')}")
        assert (got.status_code, got.json()["reason"]) == (422, "bad-name")

    visit(scene, ingest, None)
    assert ingest.paths == []


def test_only_post_pushes() -> None:
    async def scene(post: Browser) -> None:
        assert (await post(method="PUT")).status_code == 405

    visit(scene, Ingest(), None)


def test_without_an_ingest_the_browser_is_told_which_setting_is_missing() -> None:
    async def run() -> None:
        async with served(Push(None, Texts())) as url, httpx.AsyncClient() as client:
            got = await client.post(f"{url}/push/phone", content=JPEG)
        assert (got.status_code, got.json()["reason"]) == (503, "no-ingest")
        assert "INGEST_URL" in got.json()["detail"]

    asyncio.run(run())


def test_frames_go_on_as_soon_as_the_ingest_answers_again() -> None:
    async def run() -> None:
        async with served(Ingest()) as url:
            pass
        push = Push(url, Texts())
        async with served(push) as page, httpx.AsyncClient() as client:
            away = await client.post(f"{page}/push/phone", content=JPEG)
            assert (away.status_code, away.json()["reason"]) == (503, "ingest-away")
            assert away.headers["retry-after"] == "1"
            back = Ingest()
            port = int(url.rpartition(":")[2])
            config = uvicorn.Config(back, port=port, lifespan="off", log_config=None)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            assert (await client.post(f"{page}/push/phone", content=JPEG)).status_code == 202
            await push.close()
            server.should_exit = True
            await serving
        assert back.bodies == [JPEG]

    asyncio.run(run())


def _request(*headers: tuple[bytes, bytes]) -> Scope:
    return {"type": "http", "method": "POST", "path": "/push/x", "headers": list(headers)}


def _visitor(csrf: str) -> Visitor:
    return Visitor("sam", "operator", frozenset({"push"}), csrf)


@pytest.mark.parametrize(
    ("headers", "fits"),
    [
        ([(b"x-csrf-token", b"right")], True),
        ([(b"x-csrf-token", b"wrong")], False),
        ([(b"x-csrf-token", "größer".encode())], False),
        ([(b"x-csrf-token", b"")], False),
        ([], False),
    ],
)
def test_a_page_of_another_site_cannot_push(
    headers: Iterable[tuple[bytes, bytes]], fits: bool
) -> None:
    assert csrf_ok(_request(*headers), _visitor("right")) is fits


def test_where_no_cookie_speaks_for_the_visitor_no_token_is_asked_for() -> None:
    assert csrf_ok(_request(), _visitor(""))
