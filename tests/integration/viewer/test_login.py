"""Logging in to the pages, with the users of a real identifier, and what each may do then."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from a2wsgi import WSGIMiddleware
from fastapi import FastAPI

from identifier.access.tokens import Tokens
from identifier.access.users import Users
from identifier.api.access import access_routes
from identifier.api.guard import Access as ApiAccess
from identifier.api.guard import Guard
from identifier.api.problems import handle_problems
from identifier.api.server import ApiServer
from identifier.gallery.database import Database, sqlite_url
from services.access import hash_password
from services.lifecycle.health import Health
from viewer.access.assembly import Access, AccessOptions, open_access
from viewer.access.sessions import COOKIE
from viewer.access.throttle import FREE_TRIES
from viewer.app import make_system
from viewer.board import Board
from viewer.identifier import Identifier
from viewer.pages import make_pages
from viewer.pages.parts import Parts
from viewer.settings import ViewerSettings
from viewer.state import StateReader
from viewer.texts import Texts

PASSWORD = "correct horse"
NEW_PASSWORD = "battery staple"
API_TOKEN = "the API_TOKEN"
HTML = {"Accept": "text/html,*/*;q=0.8"}
OUT_WITHIN_S = 20.0


class Browser:
    """A browser with cookies, that sends forms as the pages have them."""

    def __init__(self, app: Any, address: str = "127.0.0.1") -> None:
        transport = httpx.ASGITransport(app=app, client=(address, 4_000))
        self.client = httpx.AsyncClient(
            transport=transport, base_url="http://localhost:5010", headers=HTML
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, **options)

    async def send(self, page: str, path: str, **fields: str | list[str]) -> httpx.Response:
        """Opens a page, then sends a form with what the page says it must carry."""
        shown = await self.get(page)
        found = re.search(r'name="csrf-token" content="([0-9a-f]{64})"', shown.text)
        assert found is not None, shown.text
        return await self.client.post(path, data={**fields, "csrf_token": found[1]})

    async def log_in(self, name: str, password: str = PASSWORD, to: str = "/") -> httpx.Response:
        return await self.send("/login", "/login", name=name, password=password, next=to)


class Desk:
    """The identifier's users and tokens, and the viewer's pages before them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.users, self.tokens = Users(database), Tokens(database)
        api = FastAPI()
        handle_problems(api)
        api.include_router(access_routes(self.users, self.tokens))
        guard = ApiAccess.on_loopback("127.0.0.1", API_TOKEN, 100_000, self.tokens.check)
        api.add_middleware(Guard, access=guard)
        self.server = ApiServer(api, "127.0.0.1", 0)
        self.server.start()
        self.identifier = Identifier(f"http://127.0.0.1:{self.server.port}", API_TOKEN)
        self._folder = folder
        self.access: Access

    def run(
        self,
        scene: Callable[[Callable[[], Browser]], Awaitable[None]],
        *,
        users: bool = True,
        password_hash: str | None = None,
    ) -> None:
        """Runs a scene with as many browsers as it likes."""

        async def play() -> None:
            options = AccessOptions(self._folder, password_hash=password_hash, users=users)
            self.access = open_access(options, self.identifier, Texts())
            pages: Any = WSGIMiddleware(self._pages(), workers=4)

            async def app(scope: Any, receive: Any, send: Any) -> None:
                await self.access.gate.serve(pages, scope, receive, send)

            await scene(lambda: Browser(app))
            self.access.gate.close()

        asyncio.run(play())

    def _pages(self) -> Any:
        state = StateReader(Board(2), Health())
        system = make_system(ViewerSettings.load([], {}), state, self.identifier)
        return make_pages(Parts(state, self.identifier, Texts()), self.access, system)

    def close(self) -> None:
        self.identifier.close()
        self.server.stop()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    database = Database(sqlite_url(tmp_path / "gallery"))
    made = Desk(database, tmp_path / "viewer")
    made.users.add("Ann", PASSWORD, "admin")
    made.users.add("Vic", PASSWORD, "viewer")
    yield made
    made.close()
    database.close()


async def out_soon(browser: Browser, path: str = "/account") -> None:
    """Waits until a browser is sent to log in."""
    async with asyncio.timeout(OUT_WITHIN_S):
        while (await browser.get(path)).status_code != 303:
            await asyncio.sleep(0.1)


def test_a_user_logs_in_is_known_and_logs_out(desk: Desk) -> None:
    async def scene(new: Callable[[], Browser]) -> None:
        async with new() as browser:
            sent_away = await browser.get("/account?x=1")
            assert sent_away.headers["location"] == "/login?next=/account%3Fx%3D1"
            before = browser.client.cookies.get(COOKIE)
            done = await browser.log_in("ann", to="/account?x=1")
            assert (done.status_code, done.headers["location"]) == (303, "/account?x=1")
            assert browser.client.cookies[COOKIE] != before
            page = (await browser.get("/account")).text
            assert "You are signed in as Ann." in page
            assert (await browser.get("/login")).headers["location"] == "/"
            cookie = browser.client.cookies[COOKIE]
            left = await browser.send("/account", "/logout")
            assert (left.status_code, left.headers["location"]) == (303, "/login")
            assert (await browser.get("/account")).status_code == 303
            browser.client.cookies.set(COOKIE, cookie)
            assert (await browser.get("/account")).status_code == 303

    desk.run(scene)


def test_a_wrong_password_is_told_without_saying_what_was_wrong(desk: Desk) -> None:
    async def scene(new: Callable[[], Browser]) -> None:
        async with new() as browser:
            wrong = await browser.log_in("Ann", NEW_PASSWORD)
            nobody = await browser.log_in("Nobody <b>", PASSWORD)
            assert wrong.status_code == nobody.status_code == 401
            for page in (wrong, nobody):
                assert "do not belong together" in page.text
                assert PASSWORD not in page.text
                assert NEW_PASSWORD not in page.text
            assert "<b>" not in nobody.text.partition("<main")[2]
            assert (await browser.get("/account")).status_code == 303

    desk.run(scene)


def test_guessing_has_to_wait_even_with_the_right_password(desk: Desk) -> None:
    async def scene(new: Callable[[], Browser]) -> None:
        async with new() as browser:
            for _ in range(FREE_TRIES):
                assert (await browser.log_in("Vic", "a wrong password")).status_code == 401
            late = await browser.log_in("Vic", PASSWORD)
            assert late.status_code == 429
            assert 1 <= int(late.headers["retry-after"]) <= 10
            assert "Too many tries" in late.text

    desk.run(scene)


def test_a_form_without_its_token_is_refused(desk: Desk) -> None:
    async def scene(new: Callable[[], Browser]) -> None:
        async with new() as browser, new() as other:
            fields = {"name": "Ann", "password": PASSWORD}
            assert (await browser.client.post("/login", data=fields)).status_code == 403
            await browser.log_in("Ann")
            refused = await browser.client.post("/users", data={**fields, "name": "Eve"})
            assert refused.status_code == 403
            await other.log_in("Ann")
            found = re.search(r'name="csrf_token" value="(\w+)"', (await other.get("/users")).text)
            assert found is not None
            stolen = {**fields, "name": "Eve", "csrf_token": found[1]}
            assert (await browser.client.post("/users", data=stolen)).status_code == 403
            assert desk.users.get("Eve") is None

    desk.run(scene)


def test_a_user_who_is_changed_or_removed_is_out_within_seconds(desk: Desk) -> None:
    desk.users.add("Eve", PASSWORD, "operator")
    desk.users.add("Joe", PASSWORD, "viewer")

    async def scene(new: Callable[[], Browser]) -> None:
        async with new() as vic, new() as eve, new() as joe, new() as ann:
            for name, browser in (("Vic", vic), ("Eve", eve), ("Joe", joe), ("Ann", ann)):
                await browser.log_in(name)
                assert (await browser.get("/account")).status_code == 200
            desk.users.change("Eve", role="viewer")
            desk.users.change("Vic", password=NEW_PASSWORD)
            desk.users.remove("Joe")
            await asyncio.gather(out_soon(vic), out_soon(eve), out_soon(joe))
            assert (await ann.get("/account")).status_code == 200

    desk.run(scene)


def test_a_stream_ends_when_its_visitor_is_removed(desk: Desk) -> None:
    async def scene(new: Callable[[], Browser]) -> None:
        async with new() as browser:
            await browser.log_in("Vic")
            cookie = f"{COOKIE}={browser.client.cookies[COOKIE]}"
        begun, ended = asyncio.Event(), asyncio.Event()

        async def stream(scope: Any, receive: Any, send: Any) -> None:
            begun.set()
            assert (await receive())["type"] == "http.disconnect"
            ended.set()

        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(event: Any) -> None:
            raise AssertionError(event)

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/stream/hall.mjpg",
            "headers": [(b"cookie", cookie.encode())],
        }
        watching = asyncio.create_task(desk.access.gate.serve(stream, scope, receive, send))
        async with asyncio.timeout(OUT_WITHIN_S):
            await begun.wait()
            desk.users.remove("Vic")
            await ended.wait()
            await watching

    desk.run(scene)


def test_a_user_changes_their_password_and_stays_while_their_other_browsers_go(
    desk: Desk,
) -> None:
    async def scene(new: Callable[[], Browser]) -> None:
        async with new() as here, new() as elsewhere:
            await here.log_in("Vic")
            await elsewhere.log_in("Vic")

            async def change(old: str, wanted: str, again: str) -> httpx.Response:
                return await here.send(
                    "/account", "/account/password", old=old, new=wanted, again=again
                )

            for old, wanted, again, told in (
                (PASSWORD, NEW_PASSWORD, "another one", "not the same"),
                (PASSWORD, "short", "short", "10 characters"),
                ("a wrong password", NEW_PASSWORD, NEW_PASSWORD, "is not right"),
            ):
                refused = await change(old, wanted, again)
                assert refused.status_code == 422
                assert told in refused.text
            done = await change(PASSWORD, NEW_PASSWORD, NEW_PASSWORD)
            assert done.headers["location"] == "/account?changed"
            assert "is changed" in (await here.get("/account?changed")).text
            await out_soon(elsewhere)
            assert (await here.get("/account")).status_code == 200
            assert desk.users.authenticate("Vic", NEW_PASSWORD) is not None

    desk.run(scene)


def test_an_admin_looks_after_users(desk: Desk) -> None:
    async def scene(new: Callable[[], Browser]) -> None:
        async with new() as browser:
            await browser.log_in("Ann")

            async def send(path: str, **fields: str) -> httpx.Response:
                return await browser.send("/users", path, **fields)

            await send("/users", name="Bob B", password=PASSWORD, role="operator")
            page = (await browser.get("/users")).text
            assert "Bob B" in page
            assert 'action="/users/Bob%20B/remove"' in page
            await send("/users/Bob%20B/role", role="viewer")
            await send("/users/Bob%20B/password", password=NEW_PASSWORD)
            bob = desk.users.authenticate("bob b", NEW_PASSWORD)
            assert bob is not None
            assert bob.role == "viewer"
            await send("/users/Bob%20B/disabled", disabled="1")
            assert desk.users.authenticate("Bob B", NEW_PASSWORD) is None
            await send("/users/Bob%20B/disabled", disabled="0")
            assert desk.users.authenticate("Bob B", NEW_PASSWORD) is not None
            await send("/users/Bob%20B/remove")
            assert desk.users.get("Bob B") is None
            kept = await send("/users/Ann/remove")
            assert kept.status_code == 409
            assert "last admin" in kept.text
            short = await send("/users", name="Bob", password="short", role="viewer")
            assert short.status_code == 422
            assert "at least 10" in short.text

    desk.run(scene)


def test_an_admin_makes_a_token_that_is_shown_once(desk: Desk) -> None:
    async def scene(new: Callable[[], Browser]) -> None:
        async with new() as browser:
            await browser.log_in("Ann")
            made = await browser.send(
                "/users", "/tokens", name="dashboard", scope=["streams", "read"], days="30"
            )
            assert made.status_code == 201
            found = re.search(r'value="(fst_[\w-]{43})"', made.text)
            assert found is not None
            token = desk.tokens.check(found[1])
            assert token is not None
            assert token.scopes == ("read", "streams")
            assert token.expires_at is not None
            assert 29 <= (token.expires_at - datetime.now(UTC)).days <= 30
            page = (await browser.get("/users")).text
            assert "dashboard" in page
            assert found[1] not in page
            none = await browser.send("/users", "/tokens", name="x", days="0")
            assert (none.status_code, "at least one right" in none.text) == (422, True)
            await browser.send("/users", f"/tokens/{token.id}/revoke")
            assert desk.tokens.check(found[1]) is None

    desk.run(scene)


def test_who_is_no_admin_sees_no_users_and_changes_none(desk: Desk) -> None:
    async def scene(new: Callable[[], Browser]) -> None:
        async with new() as browser:
            await browser.log_in("Vic")
            assert (await browser.get("/users")).status_code == 403
            for path in ("/users", "/users/Ann/remove", "/users/Vic/role", "/tokens"):
                refused = await browser.send("/account", path, role="admin", name="x")
                assert refused.status_code == 403
            assert desk.users.get("Ann") is not None

    desk.run(scene)


def test_the_password_of_the_settings_is_the_user_admins(desk: Desk) -> None:
    async def scene(new: Callable[[], Browser]) -> None:
        async with new() as browser:
            assert (await browser.log_in("Ann")).status_code == 401
            assert (await browser.log_in("root", NEW_PASSWORD)).status_code == 401
            assert (await browser.log_in("Admin", NEW_PASSWORD)).status_code == 303
            page = (await browser.get("/account")).text
            assert "VIEWER_PASSWORD_HASH" in page
            assert 'action="/account/password"' not in page
            assert "VIEWER_USERS=true" in (await browser.get("/users")).text

    desk.run(scene, users=False, password_hash=hash_password(NEW_PASSWORD))


def test_an_api_token_is_good_for_its_scopes_here_too(desk: Desk) -> None:
    made = desk.tokens.create("dashboard", ["streams"])
    other = desk.tokens.create("other", ["read"])

    async def scene(new: Callable[[], Browser]) -> None:
        async with new() as browser:

            async def sign(token: str, **asked: Any) -> httpx.Response:
                headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
                return await browser.client.post("/api/stream-token", json=asked, headers=headers)

            signed = await sign(made.text, camera="hall", seconds=60)
            assert signed.status_code == 200, signed.text
            answer = signed.json()
            assert answer["url"] == (
                f"http://localhost:5010/stream/hall.mjpg?token={answer['token']}"
            )
            left_s = datetime.fromisoformat(answer["expires_at"]) - datetime.now(UTC)
            assert 0 < left_s.total_seconds() <= 60
            assert desk.access.stream_tokens.check(answer["token"], "camera/hall") is not None
            person = (await sign(made.text, person="sam", blur=True)).json()
            grant = desk.access.stream_tokens.check(person["token"], "person/sam")
            assert grant is not None
            assert grant.blur
            assert (await sign(other.text, camera="hall")).status_code == 403
            assert (await sign("fst_wrong", camera="hall")).status_code == 401
            for odd in (
                {},
                {"camera": "hall", "person": "sam"},
                {"camera": "../x"},
                {"camera": "hall", "seconds": 0},
                {"camera": "hall", "seconds": True},
                {"camera": "hall", "seconds": 31 * 86_400},
                {"camera": "hall", "more": 1},
            ):
                assert (await sign(made.text, **odd)).status_code == 422

    desk.run(scene)


def test_pages_go_on_for_known_visitors_while_the_identifier_is_away(desk: Desk) -> None:
    async def scene(new: Callable[[], Browser]) -> None:
        async with new() as known, new() as unchecked, new() as stranger:
            await known.log_in("Vic")
            await unchecked.log_in("Ann")
            assert (await known.get("/account")).status_code == 200
            await asyncio.to_thread(desk.server.stop)
            refused = await stranger.log_in("Ann")
            assert refused.status_code == 503
            page = await unchecked.get("/account")
            assert page.status_code == 503
            assert "Logins cannot be checked now" in page.text
            assert page.headers["content-type"].startswith("text/html")
            assert "set-cookie" not in page.headers
            assert (await known.get("/account")).status_code == 200

    desk.run(scene)
