"""Guessed passwords, junk tokens, silent proxies: what strangers cannot spoil for others."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode

import pytest

from services.access import hash_password
from tests.integration.viewer.served import Browser, Served, served
from viewer.access.apitokens import FREE_STRANGERS
from viewer.access.throttle import FREE_TRIES

PASSWORD = "correct horse"
GOOD = "fst_" + "g" * 43
OWNER, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class Desk(BaseHTTPRequestHandler):
    """Stands where the identifier is: knows one token."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.asked += 1  # type: ignore[attr-defined]
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = given["token"] == GOOD
        body = json.dumps({"name": "dashboard", "scopes": ["streams"]} if found else {}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@contextmanager
def desk() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    server.daemon_threads = True
    server.asked = 0  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site() -> Iterator[Served]:
    env = {"VIEWER_PASSWORD_HASH": hash_password(PASSWORD), "VIEWER_SECRET": "s" * 32}
    with served({**env, "TRUSTED_PROXIES": "127.0.0.1"}) as running:
        yield running


def ask(
    browser: Browser, path: str, *headers: str, form: dict[str, str] | None = None
) -> tuple[int, dict[str, str], str]:
    body = urlencode(form or {}).encode()
    lines = [f"{'POST' if form else 'GET'} {path} HTTP/1.1", *headers]
    if not any(line.startswith("Host:") for line in lines):
        lines.append("Host: localhost")
    if form:
        kind = "application/x-www-form-urlencoded"
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    browser.wire.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    status, found = browser.head()
    return status, found, browser.body(found).decode()


def log_in(site: Served, address: str, password: str) -> tuple[int, dict[str, str]]:
    browser, sender = site.connect(), f"X-Forwarded-For: {address}"
    _, headers, page = ask(browser, "/login", "Accept: text/html", sender)
    token = re.search(r'name="csrf_token" value="(\w+)"', page)
    assert token is not None
    cookie = f"Cookie: {headers['set-cookie'].partition(';')[0]}"
    form = {"csrf_token": token[1], "name": "admin", "password": password}
    status, headers, _ = ask(browser, "/login", "Accept: text/html", sender, cookie, form=form)
    return status, headers


def test_who_guesses_from_many_addresses_does_not_lock_the_owner_out(site: Served) -> None:
    assert log_in(site, OWNER, PASSWORD)[0] == 303
    for number in range(FREE_TRIES):
        assert log_in(site, f"198.51.100.{number}", "a wrong one")[0] == 401
    status, headers = log_in(site, ELSEWHERE, PASSWORD)
    assert status == 429
    assert int(headers["retry-after"]) <= 30
    assert log_in(site, OWNER, PASSWORD)[0] == 303


def test_junk_tokens_of_one_address_are_not_asked_about_for_ever() -> None:
    with (
        desk() as identifier,
        served(
            {
                "VIEWER_PASSWORD_HASH": hash_password(PASSWORD),
                "IDENTIFIER_URL": f"http://127.0.0.1:{identifier.server_port}",
            }
        ) as site,
    ):
        browser = site.connect()

        def send(token: str) -> int:
            return ask(browser, "/api/state.json", f"Authorization: Bearer {token}")[0]

        assert send(GOOD) == 200
        assert {send(f"not-one-{number}") for number in range(50)} == {401}
        assert identifier.asked == 1  # type: ignore[attr-defined]
        told = [send(f"fst_{number:043}") for number in range(2 * FREE_STRANGERS)]
        assert told == [*[401] * FREE_STRANGERS, *[429] * FREE_STRANGERS]
        assert send(GOOD) == 200
        # Once more where the good one was due to be asked about again.
        assert identifier.asked <= 2 + FREE_STRANGERS  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "given_away",
    [
        "Via: 1.1 nginx",
        "Referer: http://cameras.example.org/",
        "Origin: http://cameras.example.org",
    ],
)
def test_without_a_login_a_proxy_that_says_nothing_of_itself_is_found_out(given_away: str) -> None:
    with served() as site:
        host = f"Host: 127.0.0.1:{site.port}"
        browser = site.connect()
        own = f"Referer: http://127.0.0.1:{site.port}/people"
        assert ask(browser, "/api/state.json", host, own)[0] == 200
        status, _, text = ask(browser, "/api/state.json", host, given_away)
        assert (status, json.loads(text)["reason"]) == (403, "no-login")
