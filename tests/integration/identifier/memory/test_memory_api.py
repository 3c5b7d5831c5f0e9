"""The memory over HTTP: sightings, crops, counts, and events as they happen."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from identifier.api.app import make_app
from identifier.api.events import EventFeed, event_routes
from identifier.api.guard import Access
from identifier.api.server import ApiServer
from identifier.api.sightings import sighting_routes
from identifier.memory.events import EventLog
from tests.integration.identifier.memory.conftest import Bench
from tests.integration.identifier.memory.tracks import make_person, seen


@contextmanager
def serve(bench: Bench) -> Iterator[httpx.Client]:
    """The API over a memory, and a client of it."""
    ending = threading.Event()
    routers = [
        sighting_routes(bench.sightings, bench.media),
        event_routes(bench.log, EventFeed(bench.log, ending.is_set)),
    ]
    access = Access.on_loopback("127.0.0.1", None, 100_000)
    server = ApiServer(make_app(bench.people, bench.health, access, routers), "127.0.0.1", 0)
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}/api/v1", timeout=20) as client:
        yield client
    ending.set()
    server.stop()


@pytest.fixture
def api(bench: Bench) -> Iterator[httpx.Client]:
    with serve(bench) as client:
        yield client


def test_a_sighting_is_shown_with_its_crop(bench: Bench, api: httpx.Client) -> None:
    make_person(bench.database, "alice")
    bench.write(seen("a", who="alice"))
    (shown,) = api.get("/sightings", params={"person": "alice"}).json()["sightings"]
    assert shown == api.get(f"/sightings/{shown['id']}").json()
    assert shown["person"] == {"slug": "alice", "name": "Alice"}
    crop = api.get(shown["crop"].removeprefix("/api/v1"))
    assert crop.headers["content-type"] == "image/jpeg"
    assert "private" in crop.headers["cache-control"]
    assert crop.content[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/sightings/" + "0" * 32, 404, "no-such-sighting"),
        ("/sightings/" + "0" * 32 + "/crop", 404, "no-such-crop"),
        ("/sightings/../../etc", 404, "not-found"),
        ("/sightings?limit=0", 422, "bad-request"),
        ("/sightings?after=x", 422, "bad-cursor"),
        ("/sightings?since=yesterday", 422, "bad-request"),
        ("/statistics?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", 422, "bad-period"),
        ("/events?type=party", 422, "bad-request"),
    ],
)
def test_what_cannot_be_answered_is_a_problem(
    api: httpx.Client, path: str, status: int, reason: str
) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert answer.headers["content-type"] == "application/problem+json"


def test_counts_are_there_for_the_last_day_unless_asked_otherwise(
    bench: Bench, api: httpx.Client
) -> None:
    bench.write(seen("a", ended=True))
    assert api.get("/statistics").json()["counts"] == []
    period = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z"}
    (count,) = api.get("/statistics", params=period).json()["counts"]
    assert count == {
        "hour": "2026-03-01T12:00:00Z",
        "camera": "door",
        "person": None,
        "sightings": 1,
        "seconds": 0.9,
    }


def next_event(lines: Iterator[str]) -> tuple[str, dict[str, object]]:
    """The next event of a stream: its id and its data."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if not line and "data" in found:
            return found["id"], json.loads(found["data"])
        found[name] = value
    raise AssertionError("the stream has ended")


class AwayLog(EventLog):
    """Cannot say where the log ends."""

    def newest_id(self) -> int:
        raise OperationalError("SELECT", {}, ConnectionError("away"))


def test_a_stream_knows_where_it_begins_before_it_answers(bench: Bench) -> None:
    with serve(replace(bench, log=AwayLog(bench.database))) as client:
        answer = client.get("/events/stream")
    assert (answer.status_code, answer.json()["reason"]) == (503, "database-unavailable")


def test_events_are_streamed_as_they_happen_and_from_where_one_was(
    bench: Bench, api: httpx.Client
) -> None:
    bench.write(seen("before", ended=True))
    with api.stream("GET", "/events/stream") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines) == "retry: 2000"
        bench.write(seen("after", 2))
        at, event = next_event(lines)
        assert (event["type"], event["sighting"]) == ("unknown_enter", seen("after").id)
    bench.write(seen("after", 2, last_seq=30, ended=True))
    with api.stream("GET", "/events/stream", headers={"Last-Event-ID": at}) as stream:
        assert next_event(stream.iter_lines())[1]["type"] == "unknown_exit"
    with api.stream("GET", "/events/stream", params={"after": 0}) as stream:
        lines = stream.iter_lines()
        types = [next_event(lines)[1]["type"] for _ in range(4)]
        assert types == ["unknown_enter", "unknown_exit"] * 2
    listed = api.get("/events", params={"type": "unknown_exit"}).json()
    assert [each["type"] for each in listed["events"]] == ["unknown_exit"] * 2
    assert api.get("/events", params={"after": listed["next"]}).json()["events"] == []
