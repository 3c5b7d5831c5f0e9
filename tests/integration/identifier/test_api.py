"""The REST API as a client meets it: over a socket, with real photos and hostile ones."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from identifier.api.app import make_app
from identifier.api.guard import Access
from identifier.api.people import people_routes
from identifier.api.server import ApiServer
from identifier.gallery.database import Database, sqlite_url
from identifier.gallery.reembedding import Reembedding
from identifier.gallery.store import GalleryStore
from identifier.gallery.watcher import GalleryWatcher
from identifier.people import People
from services.errors import SettingsError
from services.lifecycle.health import Health
from tests.photos import jpeg_claiming, png_claiming, resized

TOKEN = "correct horse battery staple"
MAX_BODY_BYTES = 21_000_000

StartApi = Callable[..., httpx.Client]


def with_people(people: People, access: Access) -> FastAPI:
    """The API of the gallery alone."""
    reembedding = Reembedding(people.store.recognisers, people._enroller, "buffalo_s", Health())
    return make_app(people, Health(), access, [people_routes(people, reembedding)])


@pytest.fixture
def start_api(sqlite_people: People) -> Iterator[StartApi]:
    """Starts the API and gives a client for it."""
    with ExitStack() as at_exit:

        def start(
            access: Access | None = None, people: People = sqlite_people, **headers: str
        ) -> httpx.Client:
            chosen = access or Access.on_loopback("127.0.0.1", None, MAX_BODY_BYTES)
            server = ApiServer(with_people(people, chosen), "127.0.0.1", 0)
            server.start()
            at_exit.callback(server.stop)
            client = httpx.Client(
                base_url=f"http://127.0.0.1:{server.port}", timeout=60, headers=headers
            )
            return at_exit.enter_context(client)

        yield start


@pytest.fixture
def api(start_api: StartApi) -> httpx.Client:
    """The API on loopback, without a token."""
    return start_api()


@pytest.fixture
def portrait(test_data: Path) -> bytes:
    return (test_data / "clip_hamilton" / "ref" / "lin_manuel_miranda.png").read_bytes()


def post(api: httpx.Client, name: str, photo: bytes, **query: str) -> httpx.Response:
    return api.post(f"/api/v1/people/{name}/faces", files={"file": photo}, params=query)


def problem(response: httpx.Response, status: int, reason: str) -> Any:
    """The body of an error answer, after what every one has was looked at."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["reason"] == reason
    assert body["title"]
    assert body["detail"]
    return body


def test_a_person_is_enrolled_shown_and_removed(api: httpx.Client, portrait: bytes) -> None:
    added = post(api, "Lin-Manuel Miranda", portrait)
    assert added.status_code == 201
    answer = added.json()
    assert answer["added"] is True
    assert answer["person"]["slug"] == "lin-manuel-miranda"
    assert answer["face"]["sha256"] == hashlib.sha256(portrait).hexdigest()
    assert answer["face"]["score"] > 0.5
    assert answer["face"]["box"]["width"] > 40
    assert answer["face"]["model_pack"] == "buffalo_s"

    (listed,) = api.get("/api/v1/people").json()["people"]
    assert (listed["name"], listed["faces"]) == ("Lin-Manuel Miranda", 1)
    shown = api.get("/api/v1/people/lin-manuel-miranda").json()
    assert [face["id"] for face in shown["faces"]] == [answer["face"]["id"]]

    again = post(api, "lin-manuel miranda", portrait)
    assert (again.status_code, again.json()["added"]) == (200, False)

    face = f"/api/v1/people/lin-manuel-miranda/faces/{answer['face']['id']}"
    assert api.delete(face).status_code == 204
    problem(api.delete(face), 404, "no-such-face")
    assert api.delete("/api/v1/people/lin-manuel-miranda").status_code == 204
    problem(api.get("/api/v1/people/lin-manuel-miranda"), 404, "no-such-person")
    problem(api.delete("/api/v1/people/lin-manuel-miranda"), 404, "no-such-person")


def test_a_change_is_matched_when_the_answer_comes(
    start_api: StartApi, sqlite_people: People, portrait: bytes
) -> None:
    api = start_api()
    before = api.get("/api/v1/health").json()
    post(api, "Lin", portrait)
    after = api.get("/api/v1/health").json()
    assert (before["references"], after["references"]) == (0, 1)
    assert before["gallery_version"] != after["gallery_version"]
    assert sqlite_people.version == after["gallery_version"]


def test_a_name_in_another_script_and_one_with_spaces_go_through_the_address(
    api: httpx.Client, portrait: bytes
) -> None:
    assert post(api, "林 漫威", portrait).json()["person"]["name"] == "林 漫威"
    slug = api.get("/api/v1/people").json()["people"][0]["slug"]
    assert api.get(f"/api/v1/people/{slug}").status_code == 200


def test_several_faces_no_face_and_a_small_face_are_told_with_numbers(
    api: httpx.Client, test_data: Path
) -> None:
    group = (test_data / "group_bbt" / "bbt1.jpg").read_bytes()
    assert problem(post(api, "x", group), 422, "several-faces")["measured"]["faces"] >= 4
    scene = test_data / "det_cmumit" / "nonface" / "golf_course_sun_babrwpwsaeessjtj.jpg"
    problem(post(api, "x", scene.read_bytes()), 422, "no-face")
    portrait = test_data / "clip_hamilton" / "ref" / "lin_manuel_miranda.png"
    factor = 0.5
    while (answer := post(api, "x", resized(portrait, factor))).status_code == 201:
        api.delete("/api/v1/people/x")
        factor *= 0.8
    body = problem(answer, 422, "face-too-small")
    assert body["measured"]["face_px"] < body["allowed"]["face_px"] == 40
    assert post(api, "x", resized(portrait, factor), force="true").status_code == 201


@pytest.mark.parametrize(
    ("photo", "status", "reason"),
    [
        (b"", 422, "unreadable"),
        (b"\x00\x01 random \xff" * 100, 422, "unreadable"),
        (b"\xff\xd8\xff\xe0 cut off", 422, "unreadable"),
        (b"GIF89a" + bytes(100), 415, "unsupported-format"),
        (png_claiming(30_000, 30_000), 413, "too-large"),
        (jpeg_claiming(30_000, 30_000), 413, "too-large"),
    ],
    ids=["empty", "random", "truncated", "gif", "png bomb", "jpeg bomb"],
)
def test_a_hostile_photo_is_a_problem_with_a_reason(
    api: httpx.Client, photo: bytes, status: int, reason: str
) -> None:
    problem(post(api, "x", photo), status, reason)
    assert api.get("/api/v1/people").json()["people"] == []


def test_a_body_over_the_limit_is_refused_by_its_claim(api: httpx.Client) -> None:
    body = problem(post(api, "x", bytes(50_000_000)), 413, "request-too-large")
    assert body["allowed"] == {"bytes": MAX_BODY_BYTES}


def test_a_body_over_the_limit_is_refused_while_it_is_read_when_it_claims_nothing(
    api: httpx.Client,
) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'

    def chunks() -> Iterator[bytes]:
        yield head
        for _ in range(50):
            yield bytes(1_000_000)
        yield b"\r\n--b--\r\n"

    answer = api.post(
        "/api/v1/people/x/faces",
        content=chunks(),
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    problem(answer, 413, "request-too-large")
    assert api.get("/api/v1/people").status_code == 200


@pytest.mark.parametrize(
    "request_of",
    [
        {"content": b"no form", "headers": {"Content-Type": "text/plain"}},
        {"content": b"{}", "headers": {"Content-Type": "application/json"}},
        {"files": {"other": b"x"}},
        {"data": {"file": "a text field"}},
        {"content": b"--", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
        {"content": b"--", "headers": {"Content-Type": "multipart/form-data"}},
    ],
)
def test_a_request_without_a_photo_is_a_problem(
    api: httpx.Client, request_of: dict[str, bytes]
) -> None:
    answer = api.post("/api/v1/people/x/faces", **request_of)  # type: ignore[arg-type]
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["%20", "a%07b", "x" * 150, "a%5Cb"])
def test_a_name_that_makes_no_sense_is_a_problem(
    api: httpx.Client, portrait: bytes, name: str
) -> None:
    problem(post(api, name, portrait), 422, "bad-name")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/people/No%20Slug", 422),
        ("GET", "/api/v1/nowhere", 404),
        ("GET", "/docs", 404),
        ("PUT", "/api/v1/people", 405),
        ("DELETE", "/api/v1/people/x/faces/not-an-id", 422),
    ],
)
def test_every_error_is_a_problem(api: httpx.Client, method: str, path: str, status: int) -> None:
    answer = api.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_with_a_token_everything_but_health_wants_it(start_api: StartApi) -> None:
    api = start_api(Access(TOKEN, (), MAX_BODY_BYTES))
    assert api.get("/api/v1/health").status_code == 200
    for headers in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = api.get("/api/v1/people", headers=headers)
        problem(answer, 401, "no-token")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.text
    problem(api.get("/openapi.json"), 401, "no-token")
    right = {"Authorization": f"bearer {TOKEN}"}
    assert api.get("/api/v1/people", headers=right).json()["people"] == []


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:5011", "", "[", "10.0.0.1"]
)
def test_on_loopback_a_foreign_host_name_is_refused(start_api: StartApi, host: str) -> None:
    api = start_api(Host=host)
    answer = api.get("/api/v1/people")
    assert answer.status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:5011", "127.0.0.1", "[::1]:5011"])
def test_on_loopback_its_own_names_are_served(start_api: StartApi, host: str) -> None:
    assert start_api(Host=host).get("/api/v1/people").status_code == 200


def test_a_page_of_another_site_cannot_post_into_the_gallery(
    api: httpx.Client, portrait: bytes
) -> None:
    for origin in ("https://evil.example", "null", "http://[", "http://127.0.0.1.evil.example"):
        answer = api.post(
            "/api/v1/people/x/faces", files={"file": portrait}, headers={"Origin": origin}
        )
        problem(answer, 403, "foreign-origin")
    ours = {"Origin": "http://localhost:5010"}
    answer = api.post("/api/v1/people/x/faces", files={"file": portrait}, headers=ours)
    assert answer.status_code == 201


def test_the_description_names_every_path_and_the_problem(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/api/v1/health",
        "/api/v1/gallery",
        "/api/v1/people",
        "/api/v1/people/{slug}",
        "/api/v1/people/{slug}/merge",
        "/api/v1/people/{slug}/faces/{face_id}",
        "/api/v1/people/{slug}/faces/{face_id}/photo",
        "/api/v1/people/{name}/faces",
    }
    assert "Problem" in document["components"]["schemas"]


def test_a_database_that_is_away_is_told_and_not_a_crash(
    start_api: StartApi, tmp_path: Path, sqlite_people: People
) -> None:
    database = Database(sqlite_url(tmp_path / "other"))
    store = GalleryStore(database)
    people = People(store, GalleryWatcher(store, Health()), sqlite_people._enroller)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE gallery_state")
        connection.exec_driver_sql("ALTER TABLE people RENAME TO persons")
    api = start_api(people=people)
    problem(api.get("/api/v1/people"), 503, "database-unavailable")
    database.close()


def test_a_taken_port_is_one_line_that_names_it(sqlite_people: People) -> None:
    app = with_people(sqlite_people, Access(None, (), 1))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"API_PORT={port}"):
            ApiServer(app, "127.0.0.1", port)


def test_a_client_that_says_nothing_does_not_hold_up_the_end(sqlite_people: People) -> None:
    access = Access.on_loopback("127.0.0.1", None, MAX_BODY_BYTES)
    server = ApiServer(with_people(sqlite_people, access), "127.0.0.1", 0)
    server.start()
    with socket.create_connection(("127.0.0.1", server.port)) as silent:
        silent.sendall(b"POST /api/v1/people/x/faces HTTP/1.1\r\nHost: localhost\r\n")
        silent.sendall(b"Content-Length: 1000\r\n\r\n--b")
        server.stop()
