"""Which cameras there are, out of what the identifier knows and what is to be seen."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from services.lifecycle.health import Health
from tests.unit.viewer.pictures import Clock, picture
from viewer.board import Board
from viewer.cameras import Cameras, SourceJson, merge
from viewer.identifier import Identifier, Json
from viewer.state import CameraJson, StateReader


def told(name: str = "hall", **more: object) -> Json:
    """A camera as the identifier tells of it: added there, and doing well."""
    return {
        "name": name,
        "fixed": False,
        "pushed": False,
        "address": "rtsp://***@10.0.0.5/main",
        "kind": "rtsp",
        "enabled": True,
        "fps": 5.0,
        "max_side": 640,
        "state": "running",
        "rate_fps": 4.96,
        "drops": 3,
        "error": "",
        "producer": "p1",
        **more,
    }


def shown(name: str = "hall", *, stale: bool = False) -> CameraJson:
    """A camera as the board shows it."""
    return {
        "name": name,
        "fps": 4.9,
        "delay_ms": 120,
        "last_seen": "2026-01-31T12:00:00.000000Z",
        "stale": stale,
        "width": 640,
        "height": 360,
        "people": [],
        "unknown_faces": 0,
    }


def only(known: list[Json], here: list[CameraJson]) -> SourceJson:
    """The one camera there is."""
    (found,) = merge(known, here)
    return found


def test_both_sides_tell_of_one_camera() -> None:
    found = only([told()], [shown()])
    assert (found["state"], found["kept"], found["seen"]) == ("running", True, True)
    assert (found["fps"], found["sent_fps"], found["delay_ms"], found["drops"]) == (
        4.9,
        5.0,
        120,
        3,
    )
    assert (found["fps_limit"], found["max_side"], found["width"]) == (5.0, 640, 640)


def test_cameras_of_either_side_are_listed_by_name() -> None:
    names = [each["name"] for each in merge([told("yard"), told("attic")], [shown("Barn")])]
    assert names == ["attic", "Barn", "yard"]


@pytest.mark.parametrize(
    ("known", "here", "state"),
    [
        ([], [shown()], "running"),
        ([], [shown(stale=True)], "silent"),
        ([told()], [], "silent"),
        ([told()], [shown(stale=True)], "silent"),
        ([told(state="waiting", producer=None)], [], "waiting"),
        ([told(state="opening")], [], "opening"),
        ([told(state="opening")], [shown()], "running"),
        ([told(state="lost")], [shown(stale=True)], "lost"),
        ([told(state="lost")], [shown()], "lost"),
        ([told(state="ended")], [shown(stale=True)], "ended"),
        ([told(state="failed")], [], "failed"),
        ([told(state="off", enabled=False)], [shown()], "off"),
    ],
)
def test_the_state_is_what_its_producer_says_and_what_is_to_be_seen(
    known: list[Json], here: list[CameraJson], state: str
) -> None:
    assert only(known, here)["state"] == state


@pytest.mark.parametrize("whose", ["fixed", "pushed"])
def test_a_producer_s_own_camera_is_not_to_be_changed_here(whose: str) -> None:
    own: dict[str, object] = {"fps": None, "max_side": None, whose: True}
    found = only([told() | own], [shown()])
    assert not found["kept"]
    assert (found["fps_limit"], found["max_side"]) == (0.0, 0)


def test_of_two_with_one_name_the_one_that_was_added_can_be_changed() -> None:
    blocked = told(state="failed", error="the producer p1 has a camera of that name of its own")
    found = only([blocked, told(fixed=True)], [])
    assert (found["kept"], found["state"]) == (True, "failed")


def test_an_answer_that_makes_no_sense_hides_no_camera() -> None:
    odd: list[Json] = [{"name": 7}, {}, {"name": "hall", "drops": "many", "rate_fps": None}]
    assert only(odd, [shown()])["drops"] == 0


def test_without_the_identifier_what_is_to_be_seen_is_listed() -> None:
    clock = Clock()
    board = Board(2, clock=clock, now=clock.now)
    board.show(picture(1, "hall"))
    found = Cameras(Identifier(None), StateReader(board, Health())).read(addresses=True)
    assert "IDENTIFIER_URL" in found["problem"]
    assert found["producers"] is None
    assert [each["name"] for each in found["cameras"]] == ["hall"]


@contextmanager
def identifier_of(cameras: list[Json]) -> Iterator[tuple[Identifier, list[str]]]:
    """A real little server that lists cameras, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps({"cameras": cameras, "producers": [{"id": "p1"}]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    identifier = Identifier(f"http://127.0.0.1:{server.server_address[1]}")
    try:
        yield identifier, asked
    finally:
        identifier.close()
        server.shutdown()
        server.server_close()
        thread.join()


def test_many_browsers_ask_the_identifier_once_a_second_and_at_once_after_a_change() -> None:
    clock, cameras = Clock(), [told("hall")]
    with identifier_of(cameras) as (identifier, asked):
        page = Cameras(identifier, StateReader(Board(2), Health()), clock)
        for _ in range(5):
            found = page.read(addresses=True)
        assert (found["producers"], found["problem"]) == (1, "")
        assert asked == ["/api/v1/cameras"]
        cameras.append(told("yard"))
        page.changed()
        assert [each["name"] for each in page.read(addresses=True)["cameras"]] == ["hall", "yard"]
        clock.seconds += 1.5
        page.read(addresses=True)
        assert len(asked) == 3


def test_only_who_may_change_cameras_learns_where_they_are() -> None:
    with identifier_of([told(error="rtsp://***@10.0.0.5 refuses")]) as (identifier, _):
        page = Cameras(identifier, StateReader(Board(2), Health()))
        assert page.read(addresses=True)["cameras"][0]["address"] == "rtsp://***@10.0.0.5/main"
        hidden = page.read(addresses=False)["cameras"][0]
        assert (hidden["address"], hidden["error"]) == ("", "")
