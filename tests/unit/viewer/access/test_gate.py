"""The gate before a small site: no login at all, and one password."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.access import ROLES, hash_password
from viewer.access.assembly import Access, AccessOptions, open_access
from viewer.access.gate import safe_next
from viewer.access.sessions import COOKIE
from viewer.asgi import Receive, Scope, Send, answer_json
from viewer.identifier import Identifier
from viewer.texts import Texts

HTML = {"Accept": "text/html,*/*;q=0.8"}
HASH = hash_password("correct horse")

Scene = Callable[[httpx.AsyncClient, Access], Awaitable[None]]


async def site(scope: Scope, receive: Receive, send: Send) -> None:
    """Says who it was told that asks."""
    del receive
    who = scope["visitor"]
    told = {"name": who.name, "role": who.role, "scopes": sorted(who.scopes), "csrf": who.csrf}
    await answer_json(send, 200, {**told, "local": who.local, "blur": who.blur})


def visit(folder: Path, scene: Scene, **options: Any) -> None:
    """Runs a scene with a browser before a gate; the identifier is away."""

    async def run() -> None:
        access = open_access(AccessOptions(folder, **options), Identifier(None), Texts())

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await access.gate.serve(site, scope, receive, send)

        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 4_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            await scene(client, access)
        access.gate.close()

    asyncio.run(run())


def log_in(client: httpx.AsyncClient, access: Access, role: str = "admin") -> None:
    found = access.logins.check("admin", "correct horse")
    assert found is not None
    begun = access.sessions.begin(found.name, role, found.stamp, found.source)
    cookie = access.sessions.set_cookie(begun, secure=False)
    client.cookies.set(COOKIE, cookie.partition(";")[0].partition("=")[2])


def test_without_a_login_everybody_at_this_machine_is_its_owner(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, _: Access) -> None:
        first = await client.get("/people", headers=HTML)
        told = first.json()
        assert (told["name"], told["role"], told["local"]) == ("local", "admin", True)
        assert told["scopes"] == sorted(ROLES["admin"])
        assert COOKIE in first.headers["set-cookie"]
        again = await client.get("/people", headers=HTML)
        assert again.json()["csrf"] == told["csrf"]
        assert "set-cookie" not in again.headers

    visit(tmp_path, scene)


def test_without_a_login_nothing_is_served_through_a_proxy(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, _: Access) -> None:
        page = "http://cameras.example.org/"
        forwarding = {"X-Forwarded-For": "203.0.113.9", "Via": "1.1 x", "Referer": page}
        for name, value in forwarding.items():
            refused = await client.get("/stream/hall.mjpg", headers={name: value})
            assert refused.status_code == 403
            assert "VIEWER_PASSWORD_HASH" in refused.json()["detail"]

    visit(tmp_path, scene)


def test_a_stranger_is_sent_to_log_in_and_scripts_are_told_so(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, _: Access) -> None:
        page = await client.get("/sightings?person=sam&x=1", headers=HTML)
        assert page.status_code == 303
        assert page.headers["location"] == "/login?next=/sightings%3Fperson%3Dsam%26x%3D1"
        assert (await client.get("/", headers=HTML)).headers["location"] == "/login"
        for path in ("/stream/hall.mjpg", "/snapshot/hall.jpg", "/face/sam.jpg", "/live"):
            refused = await client.get(path, headers=HTML)
            assert refused.status_code == 401
            assert refused.headers["content-type"] == "application/problem+json"
        for path in ("/api/state.json", "/events", "/crops/1.jpg", "/people"):
            assert (await client.get(path)).status_code == 401
        assert (await client.post("/people")).status_code == 401

    visit(tmp_path, scene, password_hash=HASH)


def test_the_login_and_what_it_looks_like_are_open(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, _: Access) -> None:
        page = await client.get("/login", headers=HTML)
        assert page.status_code == 200
        assert page.json()["scopes"] == []
        assert re.fullmatch("[0-9a-f]{64}", page.json()["csrf"])
        assert "HttpOnly" in page.headers["set-cookie"]
        asset = await client.get("/assets/1/base.css")
        assert asset.status_code == 200
        assert "set-cookie" not in asset.headers
        assert (await client.get("/assets", headers=HTML)).status_code == 303
        assert (await client.get("/login/x", headers=HTML)).status_code == 303

    visit(tmp_path, scene, password_hash=HASH)


def test_who_has_logged_in_is_known_until_they_log_out(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, access: Access) -> None:
        log_in(client, access)
        told = (await client.get("/people", headers=HTML)).json()
        assert (told["name"], told["role"], told["local"]) == ("admin", "admin", False)
        assert (await client.get("/stream/hall.mjpg")).status_code == 200
        session = access.sessions.read(f"{COOKIE}={client.cookies[COOKIE]}")
        assert session is not None
        access.sessions.end(session, secure=False)
        assert (await client.get("/people", headers=HTML)).status_code == 303
        assert (await client.get("/stream/hall.mjpg")).status_code == 401

    visit(tmp_path, scene, password_hash=HASH)


def test_another_password_in_the_settings_ends_all_its_sessions(tmp_path: Path) -> None:
    cookies: list[str] = []

    async def before(client: httpx.AsyncClient, access: Access) -> None:
        log_in(client, access)
        cookies.append(client.cookies[COOKIE])

    async def after(client: httpx.AsyncClient, _: Access) -> None:
        client.cookies.set(COOKIE, cookies[0])
        assert (await client.get("/people", headers=HTML)).status_code == 303

    visit(tmp_path, before, password_hash=HASH)
    visit(tmp_path, after, password_hash=hash_password("another horse"))


def test_a_page_elsewhere_changes_nothing_even_with_a_browser_that_is_logged_in(
    tmp_path: Path,
) -> None:
    async def scene(client: httpx.AsyncClient, access: Access) -> None:
        log_in(client, access)
        for foreign in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "http://evil.example.org"},
        ):
            refused = await client.post("/people", headers=foreign)
            assert refused.status_code == 403
            assert refused.json()["reason"] == "foreign-origin"
        own = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
        assert (await client.post("/people", headers=own)).status_code == 200

    visit(tmp_path, scene, password_hash=HASH)


def test_a_viewer_sees_streams_and_pushes_nothing(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, access: Access) -> None:
        log_in(client, access, "viewer")
        assert (await client.get("/stream/hall.mjpg")).status_code == 200
        refused = await client.post("/push/phone")
        assert refused.status_code == 403
        assert refused.json()["reason"] == "missing-scope"

    visit(tmp_path, scene, password_hash=HASH)


def test_a_stream_token_opens_its_stream_and_nothing_else(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, access: Access) -> None:
        token, _ = access.stream_tokens.sign("camera/hall", blur=True)
        for path in ("/stream/hall.mjpg", "/snapshot/hall.jpg"):
            shown = await client.get(path, params={"token": token, "w": "640"})
            assert shown.status_code == 200
            assert shown.json()["scopes"] == ["streams"]
            assert shown.json()["blur"] is True
            assert "set-cookie" not in shown.headers
        for path in ("/stream/yard.mjpg", "/stream/person/hall.mjpg", "/live", "/face/hall.jpg"):
            assert (await client.get(path, params={"token": token})).status_code == 401
        page = await client.get("/people", params={"token": token}, headers=HTML)
        assert page.status_code == 303
        wrong = await client.get("/stream/hall.mjpg", params={"token": "x"})
        assert wrong.status_code == 401

    visit(tmp_path, scene, password_hash=HASH)


def test_an_api_token_that_cannot_be_checked_now_is_not_good(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, _: Access) -> None:
        away = await client.get("/people", headers={"Authorization": "Bearer fst_x"})
        assert away.status_code == 503
        empty = await client.get("/people", headers={"Authorization": "Bearer "})
        assert empty.status_code == 401

    visit(tmp_path, scene, password_hash=HASH)


def test_behind_https_the_cookie_is_for_https_alone(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, _: Access) -> None:
        forwarded = {**HTML, "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
        page = await client.get("/login", headers=forwarded)
        assert "; Secure" in page.headers["set-cookie"]

    async def untrusted(client: httpx.AsyncClient, _: Access) -> None:
        page = await client.get("/login", headers={**HTML, "X-Forwarded-Proto": "https"})
        assert "; Secure" not in page.headers["set-cookie"]

    visit(tmp_path, scene, password_hash=HASH, trusted_proxies=("127.0.0.0/8",))
    visit(tmp_path, untrusted, password_hash=HASH)


@pytest.mark.parametrize(
    ("asked", "goes_to"),
    [
        ("/people", "/people"),
        ("/sightings?person=sam", "/sightings?person=sam"),
        ("", "/"),
        ("people", "/"),
        ("//evil.example.org", "/"),
        ("/\\evil.example.org", "/"),
        ("https://evil.example.org/", "/"),
        ("/\t/evil.example.org", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("javascript:alert(1)", "/"),
        ("/login", "/"),
        ("/logout?x", "/"),
        ("/" + "x" * 10_000, "/"),
    ],
)
def test_login_leads_nowhere_but_into_this_site(asked: str, goes_to: str) -> None:
    assert safe_next(asked) == goes_to
