"""People over HTTP: pages, search, changes, merging, photos as they came, warnings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from identifier.api.people import people_routes
from identifier.api.problems import handle_problems
from identifier.api.server import ApiServer
from identifier.enrolment import Enroller
from identifier.gallery.reembedding import Reembedding
from identifier.people import People
from services.lifecycle.health import Health


@pytest.fixture
def api(sqlite_people: People, enroller: Enroller) -> Iterator[httpx.Client]:
    """A client for the paths about people alone."""
    app = FastAPI()
    handle_problems(app)
    reembedding = Reembedding(
        sqlite_people.store.recognisers, enroller, "buffalo_s", Health(), poll_s=1
    )
    app.include_router(people_routes(sqlite_people, reembedding))
    server = ApiServer(app, "127.0.0.1", 0)
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client:
        yield client
    server.stop()


@pytest.fixture
def portraits(test_data: Path) -> dict[str, bytes]:
    folder = test_data / "clip_hamilton" / "ref"
    return {
        "Lin": (folder / "lin_manuel_miranda.png").read_bytes(),
        "Alex": (folder / "alex_lacamoire.png").read_bytes(),
    }


@pytest.fixture
def faces(api: httpx.Client, portraits: dict[str, bytes]) -> dict[str, str]:
    """Both are enrolled; ids of their photos."""
    return {name: post(api, name, photo).json()["face"]["id"] for name, photo in portraits.items()}


def post(api: httpx.Client, name: str, photo: bytes) -> httpx.Response:
    return api.post(f"/api/v1/people/{name}/faces", files={"file": photo})


def problem(response: httpx.Response, status: int, reason: str) -> Any:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["reason"] == reason
    return response.json()


def test_what_was_measured_is_told_with_the_enrolled_photo(
    api: httpx.Client, portraits: dict[str, bytes]
) -> None:
    face = post(api, "Lin", portraits["Lin"]).json()["face"]
    assert face["sharpness"] > 10
    assert face["score"] > 0.5
    assert min(face["box"]["width"], face["box"]["height"]) > 40
    assert abs(face["pose"]["yaw"]) < 40
    assert set(face["pose"]) == {"yaw", "pitch", "roll"}
    shown = api.get("/api/v1/people/lin").json()
    assert shown["faces"] == [face]
    assert shown["person"]["sightings"] == 0
    assert shown["person"]["last_seen"] is None


def test_a_photo_that_looks_like_somebody_else_is_enrolled_with_a_warning(
    api: httpx.Client, portraits: dict[str, bytes]
) -> None:
    first = post(api, "Lin", portraits["Lin"]).json()
    assert first["warning"] is None
    second = post(api, "Manuel", portraits["Lin"])
    assert second.status_code == 201
    warning = second.json()["warning"]
    assert (warning["slug"], warning["name"], warning["face"]) == (
        "lin",
        "Lin",
        first["face"]["id"],
    )
    assert warning["similarity"] > 0.99
    assert warning["threshold"] == pytest.approx(0.33)
    assert post(api, "Alex", portraits["Alex"]).json()["warning"] is None


def test_the_photo_comes_back_as_it_was_sent_and_can_do_no_harm(
    api: httpx.Client, portraits: dict[str, bytes], faces: dict[str, str]
) -> None:
    answer = api.get(f"/api/v1/people/lin/faces/{faces['Lin']}/photo")
    assert answer.status_code == 200
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(portraits["Lin"]).digest()
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == f'inline; filename="{faces["Lin"]}.png"'
    problem(api.get(f"/api/v1/people/lin/faces/{faces['Alex']}/photo"), 404, "no-such-face")
    problem(api.get(f"/api/v1/people/lin/faces/{'0' * 32}/photo"), 404, "no-such-face")


def test_name_threshold_and_notes_are_changed_one_by_one(
    api: httpx.Client, faces: dict[str, str]
) -> None:
    def patch(**change: object) -> Any:
        answer = api.patch("/api/v1/people/lin", json=change)
        assert answer.status_code == 200, answer.text
        return answer.json()["person"]

    assert patch(threshold=0.5)["threshold"] == 0.5
    person = patch(name="Lin-Manuel", notes="writes musicals")
    assert (person["slug"], person["name"]) == ("lin", "Lin-Manuel")
    assert (person["threshold"], person["notes"]) == (0.5, "writes musicals")
    assert patch(threshold=None)["threshold"] is None
    assert patch()["notes"] == "writes musicals"


@pytest.mark.parametrize(
    ("slug", "change", "status", "reason"),
    [
        ("lin", {"name": "alex"}, 409, "name-taken"),
        ("lin", {"name": "a/b"}, 422, "bad-name"),
        ("lin", {"name": " "}, 422, "bad-name"),
        ("lin", {"notes": "x" * 2_001}, 422, "bad-request"),
        ("lin", {"notes": "\x00"}, 422, "bad-notes"),
        ("lin", {"threshold": 2}, 422, "bad-request"),
        ("lin", {"threshold": "NaN"}, 422, "bad-request"),
        ("lin", {"slug": "x"}, 422, "bad-request"),
        ("nobody", {"notes": ""}, 404, "no-such-person"),
    ],
)
def test_a_change_that_makes_no_sense_is_a_problem(
    api: httpx.Client,
    faces: dict[str, str],
    slug: str,
    change: dict[str, object],
    status: int,
    reason: str,
) -> None:
    problem(api.patch(f"/api/v1/people/{slug}", json=change), status, reason)


def test_a_threshold_that_is_no_number_is_refused(api: httpx.Client, faces: dict[str, str]) -> None:
    for number in ("NaN", "Infinity", "1e999"):
        answer = api.patch(
            "/api/v1/people/lin",
            content=f'{{"threshold": {number}}}',
            headers={"Content-Type": "application/json"},
        )
        problem(answer, 422, "bad-request")


def test_two_who_are_one_are_merged_and_the_other_slug_is_gone(
    api: httpx.Client, faces: dict[str, str], sqlite_people: People
) -> None:
    merged = api.post("/api/v1/people/lin/merge", json={"into": "alex"})
    assert merged.status_code == 200, merged.text
    assert {face["id"] for face in merged.json()["faces"]} == set(faces.values())
    problem(api.get("/api/v1/people/lin"), 404, "no-such-person")
    assert sqlite_people.version == sqlite_people.store.version()
    problem(api.post("/api/v1/people/alex/merge", json={"into": "alex"}), 422, "same-person")
    problem(api.post("/api/v1/people/alex/merge", json={"into": "lin"}), 404, "no-such-person")
    problem(api.post("/api/v1/people/alex/merge", json={"into": "A b"}), 422, "bad-request")


def test_a_long_list_comes_in_pages(api: httpx.Client, faces: dict[str, str]) -> None:
    first = api.get("/api/v1/people", params={"limit": 1}).json()
    assert [person["name"] for person in first["people"]] == ["Alex"]
    second = api.get("/api/v1/people", params={"limit": 1, "after": first["next"]}).json()
    assert [person["name"] for person in second["people"]] == ["Lin"]
    assert second["next"] is None
    found = api.get("/api/v1/people", params={"q": "LI"}).json()
    assert [person["slug"] for person in found["people"]] == ["lin"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"after": "%"}, "bad-cursor"),
        ({"after": "_w"}, "bad-cursor"),
        ({"after": "AA"}, "bad-cursor"),
        ({"limit": "0"}, "bad-request"),
        ({"limit": "100000"}, "bad-request"),
        ({"q": "\x00"}, "bad-request"),
    ],
)
def test_a_page_that_nobody_offered_is_a_problem(
    api: httpx.Client, query: dict[str, str], reason: str
) -> None:
    problem(api.get("/api/v1/people", params=query), 422, reason)


def test_the_gallery_says_how_far_the_pack_is(api: httpx.Client, faces: dict[str, str]) -> None:
    answer = api.get("/api/v1/gallery").json()
    assert answer.pop("version")
    assert answer == {
        "pack": "buffalo_s",
        "ready": 2,
        "failed": 0,
        "total": 2,
        "matched": True,
        "reembedding": False,
        "threshold": 0.33,
    }
