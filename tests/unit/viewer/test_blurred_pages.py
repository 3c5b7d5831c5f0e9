"""Under BLUR_UNKNOWN test shots show nobody, and reference photos nobody else."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import pytest

from services.lifecycle.health import Health
from services.records.jpeg import Image, encode_jpeg
from viewer.app import make_painter, make_site
from viewer.board import Board
from viewer.identifier import Identifier, Json
from viewer.live import Live
from viewer.settings import ViewerSettings
from viewer.state import StateReader

FACE, UNREAD = "1" * 32, "2" * 32
BLURRED = {"BLUR_UNKNOWN": "true"}
# One face at the left, one at the right, of black and white squares that no blur leaves alone.
LEFT, RIGHT = (100, 120, 80, 100), (220, 120, 80, 100)


def squares(width: int, height: int) -> Image:
    pattern = (np.indices((height, width)) // 5).sum(0) % 2 * 255
    return np.repeat(pattern[:, :, None], 3, axis=2).astype(np.uint8)


def crowd() -> Image:
    image = np.full((360, 480, 3), 120, np.uint8)
    for x, y, width, height in (LEFT, RIGHT):
        image[y : y + height, x : x + width] = squares(width, height)
    return image


CROWD = encode_jpeg(crowd(), 95)


def box(xywh: tuple[int, int, int, int]) -> Json:
    return dict(zip(("x", "y", "width", "height"), map(float, xywh), strict=True))


def face(face_id: str, where: Json | None) -> Json:
    return {
        "id": face_id,
        "width": 480,
        "height": 360,
        "box": where,
        "score": None if where is None else 0.8,
        "sharpness": 150.0,
        "pose": None,
    }


SAM = {
    "slug": "sam",
    "name": "Sam",
    "notes": "",
    "threshold": None,
    "faces": 2,
    "sightings": 0,
    "last_seen": None,
    "created_at": "2026-11-21T12:00:00Z",
}
FOUND = {"faces": [{"box": box(LEFT)}, {"box": box(RIGHT)}]}


@dataclass
class Kept:
    """What the identifier answers, by method and path; an int is a refusal of that status."""

    answers: dict[str, Json | bytes | int] = field(
        default_factory=lambda: {
            "GET /people/sam": {
                "person": SAM,
                "faces": [face(FACE, box(LEFT)), face(UNREAD, None)],
            },
            f"GET /people/sam/faces/{FACE}/photo": CROWD,
            f"GET /people/sam/faces/{UNREAD}/photo": CROWD,
            "GET /sightings": {"sightings": [], "next": None},
            "GET /backfills": {"backfills": []},
            "GET /gallery": {"pack": "buffalo_s"},
            "GET /cameras": {"cameras": [], "producers": [{"id": "p"}]},
            "POST /cameras/shots": CROWD,
            "POST /identify": FOUND,
        }
    )


@contextmanager
def identifier_with(kept: Kept) -> Iterator[Identifier]:
    """A real little server that answers as the identifier does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path.removeprefix("/api/v1")
            found = kept.answers.get(f"{self.command} {path}", 404)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, kind, body = 200, "image/jpeg", b""
            if isinstance(found, bytes):
                body = found
            elif isinstance(found, int):
                status, kind = found, "application/problem+json"
                body = json.dumps({"reason": "busy", "detail": "too many photos wait"}).encode()
            else:
                kind, body = "application/json", json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    identifier = Identifier(f"http://127.0.0.1:{server.server_address[1]}")
    try:
        yield identifier
    finally:
        identifier.close()
        server.shutdown()
        server.server_close()
        thread.join()


class Browser:
    """Somebody on this machine, who may do everything."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str) -> httpx.Response:
        return await self._client.get(path)

    async def test_shot(self) -> httpx.Response:
        page = (await self.get("/cameras")).text
        token = re.search(r'name="csrf-token" content="(\w*)"', page)
        assert token is not None
        return await self._client.post(
            "/test-shot",
            json={"camera": "hall"},
            headers={"X-CSRF-Token": token[1], "Accept": "application/json"},
        )


def visit(
    scene: Callable[[Browser], Awaitable[None]],
    kept: Kept | None = None,
    env: dict[str, str] | None = None,
) -> None:
    """Runs a scene with a browser on a whole site."""

    async def run() -> None:
        settings = ViewerSettings.load([], {"VIEWER_SECRET": "s" * 32} | (env or BLURRED))
        board = Board(2)
        painter = make_painter(settings)
        with identifier_with(kept or Kept()) as identifier:
            live = Live(board, asyncio.get_running_loop())
            site = make_site(settings, live, painter, StateReader(board, Health()), identifier)
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app=site),
                base_url="http://127.0.0.1:5010",
                headers={"Accept": "text/html"},
            ) as client:
                await scene(Browser(client))
        painter.close()

    asyncio.run(run())


def pixels(answer: httpx.Response) -> Image:
    assert answer.status_code == 200, answer.text
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)


def contrast(image: Image, where: tuple[int, int, int, int]) -> float:
    x, y, width, height = where
    return float(image[y : y + height, x : x + width].std())


def test_a_test_shot_shows_where_a_camera_looks_and_no_head() -> None:
    view = crowd()
    view[:, :40] = 255
    kept = Kept()
    kept.answers["POST /cameras/shots"] = encode_jpeg(view, 95)

    async def scene(browser: Browser) -> None:
        shown = pixels(await browser.test_shot())
        assert shown.shape == view.shape
        for head in (LEFT, RIGHT):
            assert contrast(view, head) > 100
            assert contrast(shown, head) < 12
        # What is large is still to be seen: a wall that is white.
        assert shown[:, :32].mean() > 240
        assert shown[:, 60:80].mean() < 130

    visit(scene, kept)


def test_what_the_detector_did_not_find_is_coarse_in_a_test_shot_all_the_same() -> None:
    kept = Kept()
    kept.answers["POST /identify"] = {"faces": []}

    async def scene(browser: Browser) -> None:
        shown = pixels(await browser.test_shot())
        again = cv2.resize(shown, (64, 48), interpolation=cv2.INTER_AREA)
        again = cv2.resize(again, (480, 360), interpolation=cv2.INTER_CUBIC)
        assert np.abs(shown.astype(int) - again.astype(int)).mean() < 4
        assert contrast(shown, LEFT) < 60

    visit(scene, kept)


@pytest.mark.parametrize("trouble", [503, 404, 401])
def test_while_nobody_can_look_for_faces_no_test_shot_is_shown(trouble: int) -> None:
    kept = Kept()
    kept.answers["POST /identify"] = trouble

    async def scene(browser: Browser) -> None:
        refused = await browser.test_shot()
        assert refused.status_code == 503
        assert "It is not shown" in refused.json()["detail"]
        assert "too many photos wait" in refused.json()["detail"]

    visit(scene, kept)


def test_a_shot_that_cannot_be_read_is_not_shown() -> None:
    kept = Kept()
    kept.answers["POST /cameras/shots"] = CROWD[:2_000]

    async def scene(browser: Browser) -> None:
        assert (await browser.test_shot()).status_code == 404

    visit(scene, kept)


def test_without_the_policy_a_test_shot_and_a_photo_are_shown_as_they_are() -> None:
    async def scene(browser: Browser) -> None:
        assert (await browser.test_shot()).content == CROWD
        assert (await browser.get(f"/people/sam/photos/{FACE}.jpg")).content == CROWD
        for path in ("/cameras", "/people/sam"):
            assert "Unknown faces are blurred here" not in (await browser.get(path)).text

    visit(scene, env={"BLUR_UNKNOWN": "false"})


@pytest.mark.parametrize("picture", ["photos", "faces"])
def test_of_a_reference_photo_only_the_one_head_is_shown(picture: str) -> None:
    async def scene(browser: Browser) -> None:
        answer = await browser.get(f"/people/sam/{picture}/{FACE}.jpg")
        shown = pixels(answer)
        assert shown.shape == (320, 320, 3)
        # 190 pixels of the photo, from 45 and 75: the face is at 55, 45, its neighbour at 175.
        scale = 320 / 190
        left, top, width, height = (round(v * scale) for v in (55, 45, 80, 100))
        assert contrast(shown, (left, top, width, height)) > 80
        beside = round(160 * scale)
        assert contrast(shown, (beside, top, 320 - beside, height)) < 25
        assert answer.headers["cache-control"] == "private, max-age=60"

    visit(scene)


@pytest.mark.parametrize("picture", ["photos", "faces"])
def test_of_a_photo_that_no_model_has_read_nothing_is_shown(picture: str) -> None:
    async def scene(browser: Browser) -> None:
        shown = pixels(await browser.get(f"/people/sam/{picture}/{UNREAD}.jpg"))
        assert float(shown.std()) < 25

    visit(scene)


def test_a_photo_of_nobody_is_not_there() -> None:
    async def scene(browser: Browser) -> None:
        assert (await browser.get(f"/people/sam/photos/{'3' * 32}.jpg")).status_code == 404

    visit(scene)


def test_the_pages_say_why_a_picture_is_not_whole() -> None:
    async def scene(browser: Browser) -> None:
        assert (
            "it shows where the camera looks, not who is there"
            in (await browser.get("/cameras")).text
        )
        assert "of each photo only this face is shown" in (await browser.get("/people/sam")).text

    visit(scene)
