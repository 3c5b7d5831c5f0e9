"""Cameras added at an identifier, run by real producers: from the request to the frames."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from identifier.access.tokens import Tokens
from services.cli.children import free_port
from services.records.jpeg import jpeg_size
from tests.integration.identifier.cameras.conftest import OpenDesk, Serve, client_of
from tests.integration.identifier.cameras.producers import Site, following, process
from tests.unit.producer.media import write_video
from tests.unit.producer.mjpeg import MjpegCamera, picture
from tests.waiting import eventually

FRAMES = [picture(number) for number in range(5)]

OpenSite = Callable[..., tuple[Site, httpx.Client]]


@pytest.fixture
def open_site(
    open_desk: OpenDesk, serve: Serve, memory_broker: str, topic_prefix: str
) -> Iterator[OpenSite]:
    """An identifier's API on a broker: `open_site(lease_s=10)`."""
    with ExitStack() as at_exit:

        def open_one(lease_s: float = 10.0) -> tuple[Site, httpx.Client]:
            server = serve(open_desk(lease_s=lease_s))
            client = at_exit.enter_context(client_of(server))
            return Site(memory_broker, f"{topic_prefix}frames.raw", server), client

        yield open_one


def camera() -> MjpegCamera:
    return MjpegCamera(FRAMES, period_s=0.02)


def shown(api: httpx.Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/cameras/{name}").json()
    return found


def until(api: httpx.Client, name: str, state: str) -> dict[str, Any]:
    eventually(lambda: shown(api, name).get("state") == state, 60, f"{name} is {state}")
    return shown(api, name)


def test_a_camera_is_added_runs_is_changed_and_ends(open_site: OpenSite) -> None:
    site, api = open_site()
    with camera() as yard, following(site):
        eventually(lambda: len(api.get("/cameras").json()["producers"]) == 1, 60, "it reports")
        added = api.post("/cameras", json={"name": "yard", "address": yard.uri})
        assert added.status_code == 201, added.text
        running = until(api, "yard", "running")
        assert (running["kind"], running["error"]) == ("http", "")
        eventually(lambda: shown(api, "yard")["rate_fps"] > 1, 60, "the rate is told")
        api.patch("/cameras/yard", json={"max_side": 32})
        eventually(lambda: site.frames("yard")[-1].width == 32, 60, "frames are smaller")
        api.delete("/cameras/yard")
        eventually(lambda: not yard._open, 60, "it ends")
    frames = site.frames("yard")
    assert {frame.source for frame in frames} == {"live:http"}
    sessions = {frame.session for frame in frames}
    assert len(sessions) == 2
    for session in sessions:
        seqs = sorted(frame.seq for frame in frames if frame.session == session)
        assert seqs == list(range(len(seqs)))


@pytest.mark.parametrize("kind", ["PRODUCER_TOKEN", "API token"])
def test_the_scope_producer_is_all_that_a_producer_needs(
    kind: str, open_desk: OpenDesk, serve: Serve, memory_broker: str, topic_prefix: str
) -> None:
    desk = open_desk()
    server = serve(desk, token="good for everything", producer_token="good for cameras")
    token = "good for cameras"
    if kind == "API token":
        token = Tokens(desk.database).create("yard", ["producer"]).text
    site = Site(memory_broker, f"{topic_prefix}frames.raw", server)
    with client_of(server, "good for everything") as api, camera() as yard:
        with following(site, IDENTIFIER_TOKEN=token):
            api.post("/cameras", json={"name": "yard", "address": yard.uri})
            until(api, "yard", "running")
            assert api.post("/cameras/shots", json={"camera": "yard"}).content == FRAMES[0]
            gone = api.post("/cameras/shots", json={"address": f"http://127.0.0.1:{free_port()}/"})
            assert gone.json()["reason"] == "unreachable"
            eventually(lambda: len(site.frames("yard")) > 2, 60, "its frames come in")
        # It has said goodbye: nobody waits until it is taken for dead.
        assert api.get("/cameras").json()["producers"] == []


def test_a_wrong_password_is_told_and_put_right(open_site: OpenSite) -> None:
    site, api = open_site()
    with camera() as yard, following(site):
        yard.login = "admin:hush"
        wrong = yard.uri.replace("://", "://admin:wrong@")
        api.post("/cameras", json={"name": "yard", "address": wrong})
        lost = until(api, "yard", "lost")
        assert lost["error"] == "HTTP 401 Unauthorized"
        refused = api.post("/cameras/shots", json={"address": wrong})
        assert (refused.status_code, refused.json()["reason"]) == (422, "wrong-password")
        assert "wrong@" not in refused.text
        right = yard.uri.replace("://", "://admin:hush@")
        assert api.post("/cameras/shots", json={"address": right}).content == FRAMES[0]
        api.patch("/cameras/yard", json={"address": right})
        assert until(api, "yard", "running")["address"] == yard.uri.replace("://", "://***@")


def test_why_there_is_no_picture_is_told(open_site: OpenSite) -> None:
    site, api = open_site()
    closed, open_port = free_port(), site.server.port
    expected = {
        f"http://127.0.0.1:{closed}/x": "unreachable",
        f"rtsp://127.0.0.1:{closed}/x": "unreachable",
        f"http://127.0.0.1:{open_port}/api/v1/cameras": "no-picture",
        f"http://127.0.0.1:{open_port}/elsewhere": "not-found",
        "no such file": "no-picture",
    }
    with following(site), ThreadPoolExecutor(2) as pool:
        eventually(lambda: len(api.get("/cameras").json()["producers"]) == 1, 60, "it reports")
        wanted = [{"address": address} for address in expected]
        answers = pool.map(lambda one: api.post("/cameras/shots", json=one), wanted)
        told = {one["address"]: answer for one, answer in zip(wanted, answers, strict=True)}
    assert {address: answer.json()["reason"] for address, answer in told.items()} == expected
    assert {answer.status_code for answer in told.values()} == {422}


def test_a_test_shot_is_scaled_and_a_file_may_be_a_camera(
    open_site: OpenSite, tmp_path: Path
) -> None:
    site, api = open_site()
    video = str(write_video(tmp_path / "a.mp4", 30, width=1_600, height=960))
    with following(site):
        eventually(lambda: len(api.get("/cameras").json()["producers"]) == 1, 60, "it reports")
        answer = api.post("/cameras/shots", json={"address": video})
        assert answer.status_code == 200, answer.text
        assert jpeg_size(answer.content) == (1_280, 768)
        api.post("/cameras", json={"name": "clip", "address": video, "max_side": 160, "fps": 5})
        until(api, "clip", "running")
        eventually(lambda: len(site.frames("clip")) > 2, 60, "it is played")
    assert {frame.source for frame in site.frames("clip")} == {"live:file"}


def test_a_killed_producers_camera_moves_and_nothing_runs_twice(open_site: OpenSite) -> None:
    site, api = open_site(lease_s=2.0)
    with camera() as one, camera() as two, process(site) as first:
        api.post("/cameras", json={"name": "one", "address": one.uri})
        api.post("/cameras", json={"name": "two", "address": two.uri})
        until(api, "one", "running")
        until(api, "two", "running")
        with following(site):
            eventually(lambda: len(holders(api)) == 2, 60, "they share")
            until(api, "one", "running")
            until(api, "two", "running")
            first.send_signal(signal.SIGKILL)
            eventually(lambda: len(holders(api)) == 1, 60, "what it had moves")
            counts = {name: len(site.frames(name)) for name in ("one", "two")}
            for name, before in counts.items():
                eventually(partial(more_than, site, name, before), 60, f"frames of {name} come")
    for name in ("one", "two"):
        sessions: list[str] = []
        for frame in site.frames(name):
            if not sessions or sessions[-1] != frame.session:
                sessions.append(frame.session)
        # Had two run at once, their frames would be mixed.
        assert len(sessions) == len(set(sessions)), (name, sessions)


def more_than(site: Site, name: str, before: int) -> bool:
    """Whether more frames have come."""
    return len(site.frames(name)) > before


def holders(api: httpx.Client) -> set[str]:
    """Producers that run a camera that was added."""
    cameras = api.get("/cameras").json()["cameras"]
    return {c["producer"] for c in cameras if c["producer"] and not c["fixed"]}


def test_a_stopped_producer_hands_over_at_once(open_site: OpenSite) -> None:
    site, api = open_site(lease_s=300.0)
    with camera() as yard:
        with following(site):
            api.post("/cameras", json={"name": "yard", "address": yard.uri})
            before = until(api, "yard", "running")["producer"]
        assert shown(api, "yard")["state"] == "waiting"
        with following(site):
            assert until(api, "yard", "running")["producer"] != before


def test_while_the_identifier_is_away_cameras_run_until_their_lease_ends(
    open_site: OpenSite, open_desk: OpenDesk, serve: Serve
) -> None:
    site, api = open_site(lease_s=4.0)
    with camera() as yard, following(site):
        api.post("/cameras", json={"name": "yard", "address": yard.uri})
        until(api, "yard", "running")
        site.server.stop()
        before = len(site.frames("yard"))
        eventually(lambda: len(site.frames("yard")) > before, 60, "it goes on")
        eventually(lambda: not yard._open, 60, "it ends with its lease")
        with client_of(serve(open_desk(lease_s=4.0), site.server.port)) as back:
            eventually(lambda: len(sessions_of(site, "yard")) == 2, 60, "it begins again")
            until(back, "yard", "running")


def sessions_of(site: Site, name: str) -> set[str]:
    """Sessions of a camera that frames have come of."""
    return {frame.session for frame in site.frames(name)}


def test_a_producer_that_only_reports_ends_with_its_files(
    open_site: OpenSite, tmp_path: Path
) -> None:
    site, api = open_site()
    video = write_video(tmp_path / "a.mp4", 60, fps=20)
    options = {"RUNTIME_CAMERAS": "false", "REPORT_CAMERAS": "true"}
    with following(site, SOURCES=f"clip={video}", **options):
        listed = until(api, "clip", "running")
        assert (listed["fixed"], listed["kind"]) == (True, "file")
        eventually(lambda: api.get("/cameras").json()["cameras"] == [], 60, "it has ended")


def test_sources_of_a_producer_and_what_is_pushed_to_it_are_listed(open_site: OpenSite) -> None:
    site, api = open_site()
    port = str(free_port())
    with camera() as hall, following(site, SOURCES=f"hall={hall.uri}", INGEST_PORT=port):
        api.post("/cameras", json={"name": "yard", "address": hall.uri})
        pushed = httpx.post(
            f"http://127.0.0.1:{port}/push/phone",
            content=picture(),
            headers={"Content-Type": "image/jpeg"},
        )
        assert pushed.json() == {"seq": 0}
        until(api, "yard", "running")
        eventually(lambda: len(api.get("/cameras").json()["cameras"]) == 3, 60, "all are listed")
        shown_hall, phone, _ = api.get("/cameras").json()["cameras"]
        assert (shown_hall["name"], shown_hall["fixed"]) == ("hall", True)
        assert (phone["name"], phone["pushed"], phone["kind"]) == ("phone", True, "push")
        refused = httpx.post(
            f"http://127.0.0.1:{port}/push/yard",
            content=picture(),
            headers={"Content-Type": "image/jpeg"},
        )
        assert (refused.status_code, refused.json()["reason"]) == (409, "name-taken")
