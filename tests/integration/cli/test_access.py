"""`facestream users` and `facestream tokens` against a real API."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from identifier.access.tokens import Tokens
from identifier.access.users import Users
from identifier.api.access import access_routes
from identifier.api.guard import Access, Guard
from identifier.api.problems import handle_problems
from identifier.api.server import ApiServer
from identifier.gallery.database import Database, sqlite_url
from services.access import verify_password
from services.cli.access import tokens as tokens_command
from services.cli.access import users as users_command
from services.cli.people.api import RefusedError
from services.errors import FacestreamError, SettingsError

PASSWORD = "correct horse"
API_TOKEN = "the API_TOKEN"

Command = Callable[..., str]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(sqlite_url(tmp_path / "data"))
    yield found
    found.close()


@pytest.fixture
def address(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An API whose address and token are in the environment."""
    app = FastAPI()
    handle_problems(app)
    tokens = Tokens(database)
    app.include_router(access_routes(Users(database), tokens))
    access = Access.on_loopback("127.0.0.1", API_TOKEN, 100_000, tokens.check)
    app.add_middleware(Guard, access=access)
    server = ApiServer(app, "127.0.0.1", 0)
    server.start()
    monkeypatch.setenv("IDENTIFIER_URL", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("IDENTIFIER_TOKEN", API_TOKEN)
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture
def users(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs `facestream users`, with a password in the pipe; gives what it prints."""

    def run(*arguments: str, password: str = PASSWORD) -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{password}\n"))
        assert users_command.main(arguments) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def tokens(address: str, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `facestream tokens`; gives what it prints."""

    def run(*arguments: str) -> str:
        assert tokens_command.main(arguments) == 0
        return capsys.readouterr().out

    return run


def test_users_are_looked_after(users: Command, database: Database) -> None:
    known = Users(database)
    assert users("list").startswith("nobody")
    assert users("add", "Ann Lee", "--role", "admin") == "Ann Lee may log in as admin\n"
    assert users("add", "Bob") == "Bob may log in as viewer\n"
    assert users("role", "bob", "operator") == "Bob is operator now\n"
    assert users("password", "Bob", password="battery staple") == "Bob has a new password\n"
    assert known.authenticate("bob", "battery staple") is not None
    assert users("disable", "Bob") == "Bob may not log in now\n"
    assert known.authenticate("bob", "battery staple") is None
    listed = users("list")
    assert "Ann Lee" in listed
    assert "may not log in" in listed
    assert [user["role"] for user in json.loads(users("list", "--json"))] == ["admin", "operator"]
    assert users("disable", "Bob", "--undo") == "Bob may log in now\n"
    assert users("remove", "Bob") == "Bob is removed\n"
    with pytest.raises(RefusedError, match="last admin"):
        users("remove", "Ann Lee")
    with pytest.raises(RefusedError, match="no user Bob"):
        users("role", "Bob", "viewer")


def test_a_password_comes_from_a_file_too_and_never_from_an_argument(
    users: Command, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("from a file, long\nsecond line\n")
    users("add", "Ann", "--password-file", str(file))
    assert Users(database).authenticate("Ann", "from a file, long") is not None
    with pytest.raises(SettingsError, match="No such file"):
        users("add", "Bob", "--password-file", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="at least 10"):
        users("add", "Bob", password="short")
    with pytest.raises(SettingsError, match="--help"):
        users("add", "Bob", "--password", PASSWORD)


def test_the_hash_for_the_settings_is_made_without_an_identifier(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IDENTIFIER_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    assert users_command.main(["hash"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert verify_password(printed.strip(), PASSWORD)


def test_a_token_is_printed_alone_so_that_a_script_can_keep_it(
    tokens: Command, database: Database
) -> None:
    text = tokens("create", "dashboard", "--scopes", "streams, read", "--expires", "90d")
    assert text.count("\n") == 1
    found = Tokens(database).check(text.strip())
    assert found is not None
    assert found.scopes == ("read", "streams")
    assert found.expires_at is not None
    assert abs(found.expires_at - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=5)
    listed = tokens("list")
    assert "dashboard" in listed
    assert text.strip() not in listed
    assert tokens("revoke", "dashboard") == "dashboard is revoked\n"
    assert Tokens(database).check(text.strip()) is None
    assert tokens("list") == "no tokens\n"
    with pytest.raises(FacestreamError, match="no token dashboard"):
        tokens("revoke", "dashboard")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--scopes", "fly"), "there is no scope fly"),
        (("--scopes", ""), "at least one scope"),
        (("--scopes", "read", "--expires", "soon"), "write how long from now"),
        (("--scopes", "read", "--expires", "2020-01-01"), "lies in the past"),
        (("--scopes", "read", "--expires", "2020-01-01T00:00:00Z"), "lies in the past"),
        ((), "--scopes"),
    ],
)
def test_a_token_that_makes_no_sense_is_not_made(
    tokens: Command, arguments: tuple[str, ...], told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        tokens("create", "x", *arguments)
