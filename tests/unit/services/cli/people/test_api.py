"""What the command line makes of an identifier that is away, closed, busy or none at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.cli.children import free_port
from services.cli.people.answers import PeoplePage, PersonWithFaces
from services.cli.people.api import Api, RefusedError, UnreachableError
from services.cli.people.naming import NobodyError, find_person
from services.cli.people.settings import IdentifierAddress
from services.errors import SettingsError

Answer = tuple[int, dict[str, str], bytes]
Serve = Callable[..., Api]

SAM = {"slug": "sam", "name": "Sam", "created_at": "2026-11-01T00:00:00Z", "faces": 1}


def as_json(body: object, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that gives answers in turn, the last one for ever; gives a client for it."""
    with ExitStack() as at_exit:

        def start(
            *answers: Answer, token: str | None = None, asked: list[str] | None = None
        ) -> Api:
            waiting = list(answers)

            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    if asked is not None:
                        asked.append(self.path)
                    status, headers, body = waiting[0] if len(waiting) == 1 else waiting.pop(0)
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                def log_message(self, *arguments: object) -> None:
                    del arguments

            server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            at_exit.callback(server.server_close)
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            at_exit.callback(server.shutdown)
            address = IdentifierAddress(
                identifier_url=f"http://127.0.0.1:{server.server_address[1]}",
                identifier_token=None if token is None else SecretStr(token),
            )
            return at_exit.enter_context(Api(address))

        yield start


def ask(api: Api) -> PeoplePage:
    return api.get("people", PeoplePage)


def test_an_identifier_that_is_not_there_says_how_to_start_one() -> None:
    address = IdentifierAddress(identifier_url=f"http://127.0.0.1:{free_port()}")
    with Api(address) as api, pytest.raises(UnreachableError, match="facestream up") as raised:
        ask(api)
    assert "IDENTIFIER_URL" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_closed_identifier_says_which_variable_opens_it(serve: Serve) -> None:
    closed = as_json({"detail": "no", "reason": "no-token"}, 401)
    with pytest.raises(UnreachableError, match="set IDENTIFIER_TOKEN"):
        ask(serve(closed))
    with pytest.raises(UnreachableError, match="is not the API_TOKEN") as raised:
        ask(serve(closed, token="hunter2hunter2"))
    assert "hunter2" not in str(raised.value)


def test_a_problem_is_told_in_its_own_words(serve: Serve) -> None:
    problem = {"detail": "the photo is empty", "reason": "unreadable", "status": 422}
    with pytest.raises(RefusedError, match="the photo is empty") as raised:
        ask(serve(as_json(problem, 422)))
    assert (raised.value.status, raised.value.reason) == (422, "unreadable")


@pytest.mark.parametrize(
    "answer",
    [
        (404, {"Content-Type": "text/html"}, b"<h1>not here</h1>"),
        (200, {"Content-Type": "text/html"}, b"<h1>router</h1>"),
        as_json({"somebody": "else"}),
        as_json(["a", "list"], 500),
    ],
)
def test_something_that_is_no_identifier_is_told_apart(serve: Serve, answer: Answer) -> None:
    with pytest.raises(UnreachableError, match="http://127"):
        ask(serve(answer))


def test_a_busy_identifier_is_asked_again(serve: Serve) -> None:
    busy: Answer = (503, {"Retry-After": "0"}, b"")
    assert ask(serve(busy, busy, as_json({"people": []}))).people == []


def names(api: Api, most: int | None) -> list[str]:
    entries = api.entries("people", PeoplePage, lambda page: page.people, {"q": None}, most)
    return [person.name for person in entries]


def test_pages_are_followed_to_the_last(serve: Serve) -> None:
    pages = [as_json({"people": [SAM], "next": "x y"}), as_json({"people": [SAM], "next": None})]
    asked: list[str] = []
    assert names(serve(*pages, asked=asked), None) == ["Sam", "Sam"]
    assert "after" not in asked[0]
    assert "after=x+y" in asked[1] or "after=x%20y" in asked[1]


def test_no_more_is_asked_for_than_is_wanted(serve: Serve) -> None:
    endless = as_json({"people": [SAM, SAM], "next": "more"})
    asked: list[str] = []
    assert names(serve(endless, asked=asked), 3) == ["Sam"] * 3
    assert ["limit=3" in asked[0], "limit=1" in asked[1]] == [True, True]


def test_a_person_is_found_by_slug_or_by_name_in_any_case(serve: Serve) -> None:
    found = as_json({"person": SAM, "faces": []})
    assert find_person(serve(found), "sam").slug == "sam"
    page = as_json({"people": [SAM, {**SAM, "slug": "samuel", "name": "Samuel"}]})
    assert find_person(serve(page), "SAM").slug == "sam"


def test_somebody_unheard_of_is_told_with_those_who_come_close(serve: Serve) -> None:
    nobody = as_json({"detail": "there is no person sa", "reason": "no-such-person"}, 404)
    page = as_json({"people": [SAM]})
    with pytest.raises(NobodyError, match=r"nobody called sa; is it one of: Sam \(sam\)"):
        find_person(serve(nobody, page), "sa")
    with pytest.raises(NobodyError, match="people list"):
        find_person(serve(nobody, as_json({"people": []})), "sa")


def test_a_slug_that_only_another_failure_hides_is_not_nobody(serve: Serve) -> None:
    away = as_json({"detail": "the gallery's database is away", "reason": "database"}, 503)
    with pytest.raises(RefusedError, match="database is away"):
        find_person(serve(away), "sam")


def test_answers_may_have_more_in_them_than_is_read() -> None:
    later = {"person": {**SAM, "colour": "blue"}, "faces": [], "new": 1}
    assert PersonWithFaces.model_validate(later).person.name == "Sam"


@pytest.mark.parametrize(
    "url", ["localhost:5011", "ftp://x", "http://", "http://a:b@c", "http://x:port", "http://x?q=1"]
)
def test_an_address_that_is_none_is_refused_by_its_variable(url: str) -> None:
    with pytest.raises(SettingsError, match="IDENTIFIER_URL") as raised:
        IdentifierAddress.load(env={"IDENTIFIER_URL": url})
    assert "a:b@" not in str(raised.value)


def test_the_token_may_come_from_a_file_and_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("very secret\n")
    settings = IdentifierAddress.load(env={"IDENTIFIER_TOKEN_FILE": str(file)})
    assert settings.identifier_token == SecretStr("very secret")
    assert "very secret" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:5011", True),
        ("http://[::1]:5011/", True),
        ("http://localhost", True),
        ("https://faces.example.org/api-of-mine/", False),
    ],
)
def test_no_proxy_stands_between_this_machine_and_itself(url: str, here: bool) -> None:
    settings = IdentifierAddress(identifier_url=url)
    assert settings.on_loopback is here
    assert not settings.identifier_url.endswith("/")
