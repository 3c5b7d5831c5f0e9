"""The API against its own description: schemathesis makes requests, sound and hostile ones.

The routes are those of `make_app`, so a new one is tried as soon as it is mounted.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from identifier.access.tokens import Tokens
from identifier.access.users import Users
from identifier.api.access import access_routes
from identifier.api.analysts import Analysts
from identifier.api.app import make_app
from identifier.api.backfills import backfill_routes
from identifier.api.cameras import CameraRooms, camera_routes
from identifier.api.erase import erase_routes
from identifier.api.events import EventFeed, event_routes
from identifier.api.explain import explain_routes
from identifier.api.guard import Access
from identifier.api.identify import PhotoLimits, identify_routes
from identifier.api.people import people_routes
from identifier.api.server import ApiServer
from identifier.api.sightings import sighting_routes
from identifier.api.unknowns import unknown_routes
from identifier.cameras.leases import Leases
from identifier.cameras.secrets import AddressBox
from identifier.cameras.shots import Shots
from identifier.cameras.store import Cameras
from identifier.enrolment import Enroller
from identifier.gallery.database import Database, sqlite_url
from identifier.gallery.reembedding import Reembedding
from identifier.gallery.store import GalleryStore
from identifier.gallery.watcher import GalleryWatcher
from identifier.history.backfill import Backfills
from identifier.history.erase import Erasure
from identifier.history.explain import Explainer
from identifier.history.raw_frames import RawFrames
from identifier.history.scanner import BackfillConfig
from identifier.memory.events import EventLog
from identifier.memory.media import Media
from identifier.memory.sightings import Sightings
from identifier.people import People
from identifier.settings import IdentifierSettings
from identifier.unknowns.clusters import Rule
from identifier.unknowns.store import Unknowns
from services.lifecycle.health import Health
from services.models.analysis import FaceAnalyser

MAX_BODY_BYTES = 1_000_000
EXAMPLES = 6
TOKEN = "correct horse battery staple"
PRODUCER_TOKEN = "right horse for the cart"

Start = Callable[..., str]


@pytest.fixture
def people_and_routers(
    tmp_path: Path, analyser: FaceAnalyser, enroller: Enroller
) -> Iterator[tuple[People, list[APIRouter]]]:
    """Every router over an empty SQLite database. Nothing asks Kafka while nobody is in it."""
    database = Database(sqlite_url(tmp_path / "gallery"))
    store = GalleryStore(database)
    watcher = GalleryWatcher(store, Health())
    people = People(store, watcher, enroller)
    media = Media(str(tmp_path / "media"))
    kafka = IdentifierSettings.load(env={})

    def threshold(pack: str) -> float:
        del pack
        return 0.33

    def rule(pack: str) -> Rule:
        return Rule.joining_at(threshold(pack))

    backfills = Backfills(database, kafka, BackfillConfig("faces"), watcher, media, threshold)
    events = EventLog(database)
    stopped = EventFeed(events, lambda: True)
    box = AddressBox(None, tmp_path / "camera.key")
    cameras = CameraRooms(
        Cameras(database, box), Leases(database, box), Shots(database, box), shot_within_s=0.2
    )
    yield (
        people,
        [
            people_routes(people, Reembedding(store.recognisers, enroller, "buffalo_s", Health())),
            identify_routes(
                watcher,
                threshold,
                Analysts(lambda: analyser, 1, 8),
                PhotoLimits(MAX_BODY_BYTES, 1_000_000),
            ),
            sighting_routes(Sightings(database), media),
            event_routes(events, stopped),
            unknown_routes(Unknowns(database, rule, media, people)),
            backfill_routes(backfills),
            explain_routes(Explainer(database, RawFrames(kafka))),
            erase_routes(Erasure(database, media, kafka, topic_events="faces.events")),
            access_routes(Users(database), Tokens(database)),
            camera_routes(cameras),
        ],
    )
    database.close()


@pytest.fixture
def start(people_and_routers: tuple[People, list[APIRouter]]) -> Iterator[Start]:
    """Starts the API on loopback; gives its address."""
    people, routers = people_and_routers
    with ExitStack() as at_exit:

        def start_one(token: str | None = None, **more: Any) -> str:
            access = Access.on_loopback("127.0.0.1", token, MAX_BODY_BYTES, **more)
            server = ApiServer(make_app(people, Health(), access, routers), "127.0.0.1", 0)
            server.start()
            at_exit.callback(server.stop)
            return f"http://127.0.0.1:{server.port}"

        yield start_one


def document(address: str, token: str | None = None) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{address}/openapi.json", headers=headers)
    assert answer.status_code == 200
    return answer.json()


def test_every_answer_is_as_described_whatever_is_asked(start: Start, tmp_path: Path) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{start()}/openapi.json"),
            *("--phases", "coverage,fuzzing", "--max-examples", str(EXAMPLES)),
            # A photo is any bytes to the description, so some that it takes for sound is refused.
            *("--exclude-checks", "positive_data_acceptance", "--generation-deterministic"),
            # Two would parse Python at once, which its 3.11 cannot (CPython's issue 106905).
            *("--workers", "1", "--no-color", "--warnings", "off"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_description_is_openapi_3_1_and_every_error_a_problem(start: Start) -> None:
    described = document(start())
    assert described["openapi"].startswith("3.1")
    assert "securitySchemes" not in described["components"]
    assert "HTTPValidationError" not in described["components"]["schemas"]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"], (path, status)


def test_with_a_token_every_call_but_health_wants_it(start: Start) -> None:
    address = start(TOKEN)
    assert httpx.get(f"{address}/openapi.json").status_code == 401
    described = document(address, TOKEN)
    assert described["security"] == [{"token": []}]
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    open_paths = {
        path
        for path, methods in described["paths"].items()
        for operation in methods.values()
        if operation.get("security") == []
    }
    assert open_paths == {"/api/v1/health"}
    wrong = {"Authorization": "Bearer another token"}
    for path, methods in described["paths"].items():
        for method in methods:
            for headers in ({}, wrong):
                answer = httpx.request(method, address + path, headers=headers)
                assert answer.status_code == (200 if path in open_paths else 401), (method, path)


@pytest.mark.parametrize("token", [None, TOKEN], ids=["open", "with-token"])
def test_the_page_to_browse_it_is_whole_and_takes_nothing_from_elsewhere(
    start: Start, token: str | None
) -> None:
    address = start(token)
    page = httpx.get(f"{address}/", follow_redirects=True)
    assert page.url == f"{address}/api/v1/docs"
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "://" not in page.text
    for asset in ("docs.js", "docs.css", "swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"docs/{asset}" in page.text
        answer = httpx.get(f"{address}/api/v1/docs/{asset}")
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert len(answer.content) > 50
    for other in ("app.py", "..%2Fapp.py", "redoc.standalone.js", "%00"):
        assert httpx.get(f"{address}/api/v1/docs/{other}").status_code == 404


def test_a_wrong_method_is_told_all_that_a_path_takes(start: Start) -> None:
    answer = httpx.request("PROPFIND", f"{start()}/api/v1/people/sam")
    assert answer.status_code == 405
    assert {"GET", "DELETE"} <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize("own_token", [TOKEN, None])
def test_a_producers_token_opens_what_producers_do_and_no_other_call(
    start: Start, tmp_path: Path, own_token: str | None
) -> None:
    database = Database(sqlite_url(tmp_path / "gallery"))
    tokens = Tokens(database)
    made = tokens.create("yard", ["producer"]).text
    address = start(own_token, check=tokens.check, producer_token=PRODUCER_TOKEN)
    paths = document(address, own_token)["paths"]
    calls = [(method, path) for path, methods in paths.items() for method in methods]
    calls = [*calls, ("get", "/openapi.json"), ("get", "/api/v1/forgotten")]
    for token in (PRODUCER_TOKEN, made):
        headers = {"Authorization": f"Bearer {token}"}
        opened = {
            (method, path)
            for method, path in calls
            if httpx.request(method, address + path, headers=headers).status_code != 403
        }
        assert opened == {
            ("get", "/api/v1/health"),
            ("put", "/api/v1/producers/{producer}"),
            ("put", "/api/v1/producers/{producer}/shots/{shot}"),
        }
    database.close()


def test_what_is_almost_a_producers_token_is_none(start: Start) -> None:
    address = start(TOKEN, producer_token=PRODUCER_TOKEN)
    for wrong in (PRODUCER_TOKEN[:-1], PRODUCER_TOKEN + "x", PRODUCER_TOKEN.upper()):
        headers = {"Authorization": f"Bearer {wrong}"}
        answer = httpx.put(f"{address}/api/v1/producers/yard", headers=headers, json={})
        assert (answer.status_code, answer.json()["reason"]) == (401, "no-token")
