"""Cameras over HTTP: added, shown without their logins, changed, removed; test shots."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.integration.identifier.cameras.conftest import (
    BOTH_DATABASES,
    Desk,
    OpenDesk,
    Serve,
    client_of,
    report,
    running,
)
from tests.unit.producer.mjpeg import picture
from tests.waiting import eventually

ADDRESS = "rtsp://admin:hush@10.0.0.5/main?key=hush"
SHOWN = "rtsp://***@10.0.0.5/main?***"
SINCE = "2026-01-01T00:00:00Z"


def said(*cameras: Mapping[str, object], **more: object) -> dict[str, object]:
    known = {"state": "running", "kind": "rtsp", "since": SINCE}
    return {"version": "1.0", "cameras": [known | dict(camera) for camera in cameras], **more}


@BOTH_DATABASES
def test_a_camera_is_added_shown_changed_and_removed(api: httpx.Client) -> None:
    added = api.post("/cameras", json={"name": "door", "address": ADDRESS, "fps": 5})
    assert added.status_code == 201
    assert "hush" not in added.text
    shown = added.json()
    assert (shown["name"], shown["address"], shown["fps"]) == ("door", SHOWN, 5)
    assert (shown["state"], shown["producer"], shown["enabled"]) == ("waiting", None, True)
    assert api.get("/cameras/door").json() == shown
    assert api.get("/cameras").json() == {"cameras": [shown], "producers": []}

    changed = api.patch("/cameras/door", json={"enabled": False, "max_side": 640}).json()
    assert (changed["state"], changed["max_side"], changed["fps"]) == ("off", 640, 5)
    moved = api.patch("/cameras/door", json={"address": "http://u:hush@cam/video"})
    assert moved.json()["address"] == "http://***@cam/video"
    assert "hush" not in api.get("/cameras").text

    assert api.delete("/cameras/door").status_code == 204
    assert api.get("/cameras/door").status_code == 404
    assert api.get("/cameras").json()["cameras"] == []


def test_what_cannot_be_a_camera_is_refused_without_its_password(
    open_desk: OpenDesk, serve: Serve
) -> None:
    desk = open_desk(files=False)
    desk.cameras.add("door", "rtsp://cam/1")
    wrong: list[tuple[dict[str, object], int, str]] = [
        ({"name": "door", "address": "rtsp://cam/1"}, 409, "name-taken"),
        ({"name": "a b", "address": "rtsp://cam/1"}, 422, "bad-request"),
        ({"name": "..", "address": "rtsp://cam/1"}, 422, "bad-name"),
        ({"name": "x", "address": "/etc/passwd"}, 422, "bad-address"),
        ({"name": "x", "address": "rtsp://u:hush@cam/ 1"}, 422, "bad-address"),
        ({"name": "x", "address": "http://169.254.169.254/latest"}, 422, "bad-address"),
        ({"name": "x", "address": "r" * 2_049}, 422, "bad-request"),
        ({"name": "x", "address": "rtsp://u:hush@cam/1", "fps": -1}, 422, "bad-request"),
        ({"name": "x", "address": "rtsp://u:hush@cam/1", "hue": 1}, 422, "bad-request"),
    ]
    with client_of(serve(desk)) as api:
        for document, status, reason in wrong:
            answer = api.post("/cameras", json=document)
            assert (answer.status_code, answer.json()["reason"]) == (status, reason), document
            assert answer.headers["content-type"] == "application/problem+json"
            assert "hush" not in answer.text
        assert len(api.get("/cameras").json()["cameras"]) == 1


def test_a_file_is_a_camera_where_that_is_allowed(api: httpx.Client) -> None:
    answer = api.post("/cameras", json={"name": "clip", "address": "/srv/clip.mp4"})
    assert (answer.status_code, answer.json()["address"]) == (201, "/srv/clip.mp4")


def test_a_report_brings_orders_and_is_what_people_see(api: httpx.Client) -> None:
    api.post("/cameras", json={"name": "door", "address": ADDRESS, "fps": 5, "max_side": 640})
    orders = api.put("/producers/p1", json=said()).json()
    given = {"name": "door", "address": ADDRESS, "fps": 5, "max_side": 640}
    assert orders == {"cameras": [given], "shots": [], "taken": [], "lease_s": 10}

    reported = {"name": "door", "fps": 4.9, "frames": 50, "drops": 2, "source": ADDRESS}
    hall = {"name": "hall", "kind": "device", "source": "0", "fixed": True}
    phone = {"name": "phone", "kind": "push", "pushed": True}
    api.put("/producers/p1", json=said(reported, hall, phone))
    answer = api.get("/cameras")
    assert "hush" not in answer.text
    door, shown_hall, shown_phone = answer.json()["cameras"]
    assert (door["state"], door["producer"], door["kind"]) == ("running", "p1", "rtsp")
    assert (door["rate_fps"], door["frames"], door["drops"]) == (4.9, 50, 2)
    assert (shown_hall["fixed"], shown_hall["address"]) == (True, "0")
    assert (shown_phone["pushed"], shown_phone["kind"]) == (True, "push")
    (producer,) = answer.json()["producers"]
    assert (producer["id"], producer["version"], producer["cameras"]) == ("p1", "1.0", 3)
    assert api.get("/cameras/hall").json() == shown_hall
    taken = api.post("/cameras", json={"name": "hall", "address": "rtsp://cam/1"})
    assert (taken.status_code, taken.json()["reason"]) == (409, "name-taken")


def test_a_camera_that_is_lost_says_why(api: httpx.Client) -> None:
    api.post("/cameras", json={"name": "door", "address": ADDRESS})
    api.put("/producers/p1", json=said())
    lost = {"name": "door", "state": "lost", "error": "HTTP 401 Unauthorized"}
    api.put("/producers/p1", json=said(lost))
    shown = api.get("/cameras/door").json()
    assert (shown["state"], shown["error"]) == ("lost", "HTTP 401 Unauthorized")


def test_a_source_that_takes_the_name_of_a_camera_is_said_so(desk: Desk, api: httpx.Client) -> None:
    api.post("/cameras", json={"name": "door", "address": ADDRESS})
    desk.leases.report("p1", report(running("door", fixed=True)))
    added, own = sorted(api.get("/cameras").json()["cameras"], key=lambda c: bool(c["fixed"]))
    assert added["state"] == "failed"
    assert "p1 has a camera of that name" in added["error"]
    assert own["fixed"]


def test_a_report_that_makes_no_sense_changes_nothing(api: httpx.Client) -> None:
    for document in (
        {"version": "1.0"},
        said({"name": "a b"}),
        said({"name": "a", "state": "dreaming"}),
        said({"name": "a", "since": "yesterday"}),
        said({"name": "a", "fps": -1}),
        said() | {"version": "x" * 33},
    ):
        answer = api.put("/producers/p1", json=document)
        assert (answer.status_code, answer.json()["reason"]) == (422, "bad-request")
    assert api.get("/cameras").json()["producers"] == []


def test_a_producer_that_only_tells_of_its_sources_is_given_none(api: httpx.Client) -> None:
    api.post("/cameras", json={"name": "door", "address": ADDRESS})
    hall = {"name": "hall", "kind": "file", "source": "clip.mp4", "fixed": True}
    orders = api.put("/producers/p1", json=said(hall, follows=False)).json()
    assert (orders["cameras"], orders["shots"]) == ([], [])
    listed = api.get("/cameras").json()
    assert [camera["name"] for camera in listed["cameras"]] == ["door", "hall"]
    assert [producer["follows"] for producer in listed["producers"]] == [False]
    refused = api.post("/cameras/shots", json={"address": ADDRESS})
    assert refused.json()["reason"] == "no-producer"
    assert len(api.put("/producers/p2", json=said()).json()["cameras"]) == 1


def test_without_a_producer_there_is_no_test_shot(api: httpx.Client) -> None:
    answer = api.post("/cameras/shots", json={"address": ADDRESS})
    assert (answer.status_code, answer.json()["reason"]) == (409, "no-producer")


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(4)


def asked_for(api: httpx.Client) -> tuple[str, str]:
    """Report until a shot is asked for; its id and address."""
    found: list[dict[str, str]] = []

    def ask() -> bool:
        found.extend(api.put("/producers/p1", json=said()).json()["shots"])
        return bool(found)

    eventually(ask, 60, "a shot is asked for")
    (shot,) = found
    return shot["id"], shot["address"]


@BOTH_DATABASES
def test_a_shot_travels_from_one_identifier_through_another(
    open_desk: OpenDesk, serve: Serve, pool: ThreadPoolExecutor
) -> None:
    with client_of(serve(open_desk())) as here, client_of(serve(open_desk())) as there:
        there.put("/producers/p1", json=said())
        waiting = pool.submit(here.post, "/cameras/shots", json={"address": ADDRESS})
        shot, address = asked_for(there)
        assert address == ADDRESS
        jpeg = picture(3)
        path = f"/producers/p1/shots/{shot}"
        headers = {"Content-Type": "image/jpeg"}
        assert there.put(path, content=jpeg, headers=headers).status_code == 204
        answer = waiting.result(15)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        assert answer.content == jpeg
        assert answer.headers["cache-control"] == "no-store"
        # Nothing of it is kept.
        assert there.put(path, content=jpeg, headers=headers).status_code == 404


def test_why_there_is_no_shot_is_told(api: httpx.Client, pool: ThreadPoolExecutor) -> None:
    api.post("/cameras", json={"name": "door", "address": ADDRESS, "enabled": False})
    api.put("/producers/p1", json=said())
    waiting = pool.submit(api.post, "/cameras/shots", json={"camera": "door"})
    shot, address = asked_for(api)
    assert address == ADDRESS
    refusal = {"reason": "wrong-password", "detail": "HTTP 401 Unauthorized"}
    assert api.put(f"/producers/p2/shots/{shot}", json=refusal).status_code == 404
    assert api.put(f"/producers/p1/shots/{shot}", json=refusal).status_code == 204
    answer = waiting.result(15)
    assert (answer.status_code, answer.json()["reason"]) == (422, "wrong-password")
    assert answer.json()["detail"] == "HTTP 401 Unauthorized"


def test_a_shot_that_nobody_delivers_ends_with_a_problem(open_desk: OpenDesk, serve: Serve) -> None:
    desk = open_desk(shot_within_s=0.3)
    with client_of(serve(desk)) as api:
        api.put("/producers/p1", json=said())
        answer = api.post("/cameras/shots", json={"address": ADDRESS})
    assert (answer.status_code, answer.json()["reason"]) == (422, "no-answer")


def test_a_delivery_that_is_neither_picture_nor_problem_is_refused(
    desk: Desk, api: httpx.Client
) -> None:
    shot = desk.shots.want(ADDRESS)
    desk.leases.report("p1", report())
    wrong = [
        (b"no picture", "image/jpeg", 422),
        (picture() + bytes(4_194_304), "image/jpeg", 413),
        (b"<html>", "text/html", 415),
        (b"{}", "application/problem+json", 422),
        (b'{"reason": "A B", "detail": "x"}', "application/json", 422),
    ]
    for content, kind, status in wrong:
        headers = {"Content-Type": kind}
        answer = api.put(f"/producers/p1/shots/{shot}", content=content, headers=headers)
        assert answer.status_code == status, kind
    found = desk.shots.look(shot)
    assert found is not None
    assert found.state == "taken"


def test_a_producer_gets_two_shots_at_a_time(desk: Desk) -> None:
    for _ in range(3):
        desk.shots.want(ADDRESS)
    first = desk.leases.report("p1", report()).shots
    assert len(first) == 2
    assert desk.leases.report("p1", report()).shots == ()
    assert len(desk.leases.report("p2", report()).shots) == 1
    assert desk.shots.fail(first[0].id, "p1", "unreachable", "no answer")
    desk.shots.want(ADDRESS)
    assert len(desk.leases.report("p1", report()).shots) == 1


def test_only_so_many_shots_wait(api: httpx.Client, desk: Desk) -> None:
    api.put("/producers/p1", json=said())
    for _ in range(32):
        desk.shots.want(ADDRESS)
    answer = api.post("/cameras/shots", json={"address": ADDRESS})
    assert (answer.status_code, answer.json()["reason"]) == (429, "too-many-shots")
