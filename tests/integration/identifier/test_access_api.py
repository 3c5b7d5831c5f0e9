"""Users, tokens and scopes over HTTP: what a token lets one do, and what it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from fastapi import FastAPI

from identifier.access.tokens import Tokens
from identifier.access.users import Users
from identifier.api.access import access_routes
from identifier.api.description import describe
from identifier.api.guard import Access, Guard
from identifier.api.problems import handle_problems
from identifier.api.scopes import rule_for
from identifier.api.server import ApiServer
from identifier.gallery.database import Database
from services.access import SCOPES
from tests.waiting import eventually

OWN_TOKEN = "the API_TOKEN"
PASSWORD = "correct horse"
MAX_BODY_BYTES = 100_000

Client = Callable[..., httpx.Client]


@pytest.fixture
def database(open_database: Callable[[], Database]) -> Database:
    return open_database()


@pytest.fixture
def tokens(database: Database) -> Tokens:
    return Tokens(database)


@pytest.fixture
def start(database: Database, tokens: Tokens) -> Iterator[Callable[[str | None], str]]:
    """Starts the API, with a token of its own or without; gives its address."""
    with ExitStack() as at_exit:

        def start_one(own_token: str | None) -> str:
            app = FastAPI()
            handle_problems(app)
            app.include_router(access_routes(Users(database), tokens))

            @app.get("/api/v1/people")
            @app.get("/api/v1/health")
            def anything() -> dict[str, bool]:
                """Answer."""
                return {"done": True}

            @app.post("/api/v1/people/{slug}/erase")
            @app.patch("/api/v1/people/{slug}")
            @app.get("/api/v1/cameras/{slug}")
            @app.get("/api/v1/producers/{slug}")
            @app.get("/api/v1/forgotten/{slug}")
            def anything_about(slug: str) -> dict[str, str]:
                """Answer."""
                return {"slug": slug}

            access = Access.on_loopback("127.0.0.1", own_token, MAX_BODY_BYTES, tokens.check)
            app.add_middleware(Guard, access=access)
            describe(app, wants_token=own_token is not None)
            server = ApiServer(app, "127.0.0.1", 0)
            server.start()
            at_exit.callback(server.stop)
            return f"http://127.0.0.1:{server.port}/api/v1"

        yield start_one


@pytest.fixture
def client(start: Callable[[str | None], str]) -> Iterator[Client]:
    """Clients of one API that has a token of its own."""
    address = start(OWN_TOKEN)
    with ExitStack() as at_exit:

        def client_with(token: str = OWN_TOKEN) -> httpx.Client:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return at_exit.enter_context(httpx.Client(base_url=address, headers=headers))

        yield client_with


def reason(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: str = answer.json()["reason"]
    return found


def test_users_are_added_changed_and_removed(client: Client) -> None:
    api = client()
    wanted = {"name": "Ann", "password": PASSWORD, "role": "admin"}
    added = api.post("/users", json=wanted)
    assert added.status_code == 201
    assert "password" not in added.text.lower()
    assert reason(api.post("/users", json=wanted), 409) == "name-taken"
    short = {"name": "Bob", "password": "short"}
    assert reason(api.post("/users", json=short), 422) == "bad-password"
    assert reason(api.post("/users", json={**wanted, "role": "root"}), 422) == "bad-request"
    assert api.post("/users", json={"name": "Bob", "password": PASSWORD}).json()["role"] == "viewer"
    changed = api.patch("/users/bob", json={"role": "operator", "disabled": True}).json()
    assert (changed["name"], changed["role"], changed["disabled"]) == ("Bob", "operator", True)
    assert [user["name"] for user in api.get("/users").json()["users"]] == ["Ann", "Bob"]
    assert reason(api.delete("/users/Ann"), 409) == "last-admin"
    assert reason(api.patch("/users/Ann", json={"role": "viewer"}), 409) == "last-admin"
    assert api.delete("/users/Bob").status_code == 204
    assert reason(api.delete("/users/Bob"), 404) == "no-such-user"
    assert reason(api.patch("/users/Bob", json={}), 404) == "no-such-user"


def test_a_login_is_checked_and_its_stamp_told_until_the_user_is_kept_out(client: Client) -> None:
    api = client()
    for name, role in (("Boss", "admin"), ("Ann", "viewer")):
        api.post("/users", json={"name": name, "password": PASSWORD, "role": role})
    given = {"name": "ann", "password": PASSWORD}
    login = api.post("/users/authenticate", json=given)
    assert login.status_code == 200
    assert (login.json()["name"], login.json()["role"]) == ("Ann", "viewer")
    assert api.get("/users/Ann/stamp").json() == login.json()
    wrong = api.post("/users/authenticate", json={**given, "password": "another one"})
    nobody = api.post("/users/authenticate", json={**given, "name": "nobody"})
    assert reason(wrong, 403) == reason(nobody, 403) == "wrong-password"
    assert wrong.content == nobody.content
    api.patch("/users/Ann", json={"role": "operator"})
    assert api.get("/users/Ann/stamp").json()["stamp"] != login.json()["stamp"]
    api.patch("/users/Ann", json={"disabled": True})
    assert reason(api.get("/users/Ann/stamp"), 404) == "no-such-user"
    assert reason(api.post("/users/authenticate", json=given), 403) == "wrong-password"


def test_a_token_is_shown_once_checked_and_revoked(client: Client) -> None:
    api = client()
    wanted = {"name": "dashboard", "scopes": ["streams", "read"]}
    made = api.post("/tokens", json=wanted)
    assert made.status_code == 201
    text = made.json()["token"]
    assert reason(api.post("/tokens", json=wanted), 409) == "name-taken"
    assert text not in api.get("/tokens").text
    found = api.post("/tokens/check", json={"token": text})
    assert found.json() == {"name": "dashboard", "scopes": ["read", "streams"]}
    assert api.delete(f"/tokens/{made.json()['id']}").status_code == 204
    assert reason(api.post("/tokens/check", json={"token": text}), 404) == "no-such-token"
    assert reason(api.delete(f"/tokens/{'0' * 32}"), 404) == "no-such-token"
    for odd in (
        {"name": "x", "scopes": ["root"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"},
    ):
        assert api.post("/tokens", json=odd).status_code == 422


def test_a_token_does_what_its_scope_is_for_and_nothing_else(
    client: Client, tokens: Tokens
) -> None:
    for scope, method, path in (
        ("read", "GET", "/people"),
        ("teach", "PATCH", "/people/sam"),
        ("erase", "POST", "/people/sam/erase"),
        ("cameras", "GET", "/cameras/hall"),
        ("producer", "GET", "/producers/one"),
        ("admin", "GET", "/users"),
        ("admin", "GET", "/tokens"),
        ("admin", "GET", "/forgotten/path"),
    ):
        others = [other for other in SCOPES if other != scope]
        able = tokens.create(f"able {path}", [scope]).text
        unable = tokens.create(f"unable {path}", others).text
        assert client(able).request(method, path).status_code == 200
        answer = client(unable).request(method, path)
        assert reason(answer, 403) == "missing-scope"
        assert scope in answer.json()["detail"]


def test_no_token_and_a_wrong_one_are_refused_where_the_api_has_one(client: Client) -> None:
    for token in ("", "wrong", "fst_" + "x" * 43):
        assert reason(client(token).get("/people"), 401) == "no-token"
        assert client(token).get("/health").status_code == 200
    assert client().get("/people").status_code == 200


def test_on_this_machine_alone_no_token_is_needed_but_one_that_is_sent_counts(
    start: Callable[[str | None], str], tokens: Tokens
) -> None:
    address = start(None)
    assert httpx.get(f"{address}/users").status_code == 200

    def get(path: str, token: str) -> httpx.Response:
        return httpx.get(f"{address}{path}", headers={"Authorization": f"Bearer {token}"})

    reading = tokens.create("reading", ["read"]).text
    assert get("/people", reading).status_code == 200
    assert reason(get("/users", reading), 403) == "missing-scope"
    assert reason(get("/people", "wrong"), 401) == "no-token"


def test_a_revoked_token_is_refused_soon(client: Client, tokens: Tokens) -> None:
    made = tokens.create("x", ["read"])
    api = client(made.text)
    assert api.get("/people").status_code == 200
    tokens.revoke(made.info.id)
    eventually(lambda: api.get("/people").status_code == 401, what="the token is refused")


def test_the_description_tells_the_scope_of_every_path(start: Callable[[str | None], str]) -> None:
    address = start(OWN_TOKEN).removesuffix("/api/v1")
    headers = {"Authorization": f"Bearer {OWN_TOKEN}"}
    paths = httpx.get(f"{address}/openapi.json", headers=headers).json()["paths"]
    assert paths["/api/v1/users"]["get"]["x-scope"] == "admin"
    assert "Scope: `teach`." in paths["/api/v1/people/{slug}"]["patch"]["description"]
    assert "x-scope" not in paths["/api/v1/health"]["get"]
    assert rule_for("GET", "/api/v1/forgotten/path") is None
