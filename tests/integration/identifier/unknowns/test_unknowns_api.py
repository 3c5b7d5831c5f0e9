"""The REST API's unknown people, as a client meets them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from identifier.api.problems import handle_problems
from identifier.api.server import ApiServer
from identifier.api.unknowns import unknown_routes
from identifier.gallery.database import Database
from identifier.gallery.store import GalleryStore
from identifier.unknowns.store import Unknowns
from tests.integration.identifier.unknowns.strangers import alice, face, see, track
from tests.integration.identifier.unknowns.test_corrections import enrol


@pytest.fixture
def api(unknowns: Unknowns) -> Iterator[httpx.Client]:
    app = FastAPI()
    handle_problems(app)
    app.include_router(unknown_routes(unknowns))
    server = ApiServer(app, "127.0.0.1", 0)
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}/api/v1", timeout=30) as client:
        yield client
    server.stop()


def reason(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["reason"])


def test_strangers_are_listed_shown_merged_ignored_and_deleted(
    api: httpx.Client, database: Database, unknowns: Unknowns
) -> None:
    states = [track(str(of), face(of), camera=f"camera {of}") for of in range(4)]
    see(database, unknowns, *states)
    first = api.get("/unknowns", params={"limit": 3}).json()
    rest = api.get("/unknowns", params={"limit": 3, "after": first["next"]}).json()
    assert [one["number"] for one in first["unknowns"] + rest["unknowns"]] == [4, 3, 2, 1]
    assert rest["next"] is None
    assert api.get("/unknowns/2").json() == {
        "number": 2,
        "person": None,
        "ignored": False,
        "sightings": 1,
        "first_at": "2026-03-01T12:00:00Z",
        "last_at": "2026-03-01T12:00:03Z",
        "cameras": ["camera 1"],
        "best": [states[1].id],
    }
    merged = api.post("/unknowns/4/merge", json={"into": 2}).json()
    assert (merged["number"], merged["cameras"]) == (2, ["camera 1", "camera 3"])
    assert api.get("/unknowns/4").json()["number"] == 2
    assert api.post("/unknowns/3/ignore", json={"ignored": True}).json()["ignored"]
    assert [one["number"] for one in api.get("/unknowns").json()["unknowns"]] == [2, 1]
    everyone = api.get("/unknowns", params={"ignored": "true"}).json()
    assert len(everyone["unknowns"]) == 3
    removed = api.delete("/unknowns/2")
    assert (removed.status_code, removed.json()["sightings"]) == (200, 2)
    assert reason(api.get("/unknowns/2"), 404) == "no-such-unknown"


def test_a_sighting_is_taken_from_a_person_and_given_back(
    api: httpx.Client, database: Database, unknowns: Unknowns, store: GalleryStore
) -> None:
    person_id = enrol(store, "Alice", 1)
    state = track("a", face(2), decision=alice())
    see(database, unknowns, state, person_id=person_id)
    said = api.post(f"/sightings/{state.id}/not-this-person")
    assert said.json() == {"sighting": state.id, "person": None, "unknown": 1}
    assert reason(api.post(f"/sightings/{state.id}/not-this-person"), 409) == "nobody-named"
    given = api.post(f"/sightings/{state.id}/person", json={"person": "Alice"})
    assert given.json()["person"] == {"slug": "alice", "name": "Alice"}


def test_an_unknown_without_pictures_is_not_named_and_the_answer_says_what_to_do(
    api: httpx.Client, database: Database, unknowns: Unknowns, store: GalleryStore
) -> None:
    see(database, unknowns, track("a", face(1)))
    answer = api.post("/unknowns/1/name", json={"name": "Alice"})
    assert reason(answer, 422) == "no-picture"
    assert "add a photo of Alice" in answer.json()["detail"]
    enrol(store, "Alice", 1)
    named = api.post("/unknowns/1/name", json={"name": "Alice"}).json()
    assert (named["person"]["slug"], named["sightings"]) == ("alice", 1)
    assert reason(api.delete("/unknowns/1"), 409) == "already-named"
    assert api.get("/unknowns").json()["unknowns"] == []
    (listed,) = api.get("/unknowns", params={"named": "true"}).json()["unknowns"]
    assert listed["person"] == {"slug": "alice", "name": "Alice"}


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/unknowns?limit=0", None, (422, "bad-request")),
        ("GET", "/unknowns?after=%00", None, (422, "bad-cursor")),
        ("GET", "/unknowns/0", None, (422, "bad-request")),
        ("GET", "/unknowns/99999999999999999999", None, (422, "bad-request")),
        ("GET", "/unknowns/5", None, (404, "no-such-unknown")),
        ("POST", "/unknowns/5/name", {"name": "A"}, (404, "no-such-unknown")),
        ("POST", "/unknowns/5/name", {"name": "\u0000"}, (422, "bad-name")),
        ("POST", "/unknowns/5/name", {"name": "x" * 201}, (422, "bad-request")),
        ("POST", "/unknowns/5/name", {"name": "A", "force": 1}, (422, "bad-request")),
        ("POST", "/unknowns/5/merge", {"into": -1}, (422, "bad-request")),
        ("POST", "/unknowns/5/ignore", {"ignored": "maybe"}, (422, "bad-request")),
        ("POST", "/sightings/xyz/not-this-person", None, (422, "bad-request")),
        ("POST", f"/sightings/{'0' * 32}/person", {"person": "A"}, (404, "no-such-sighting")),
        ("POST", f"/sightings/{'0' * 32}/person", {"person": "\u0000"}, (422, "bad-name")),
        ("DELETE", "/unknowns/5", None, (404, "no-such-unknown")),
    ],
)
@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_what_cannot_be_asked_is_a_problem_with_a_reason(
    api: httpx.Client, method: str, path: str, body: object, expected: tuple[int, str]
) -> None:
    status, word = expected
    assert reason(api.request(method, path, json=body), status) == word
