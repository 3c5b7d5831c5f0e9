"""Users and API tokens, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, text, update

from identifier.access.tables import TokenRow, UserRow
from identifier.access.tokens import Tokens
from identifier.access.users import User, Users
from identifier.gallery.database import Database
from services.access import is_token
from services.errors import RecordError

PASSWORD = "correct horse"
OTHER = "battery staple"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def database(open_database: Callable[[], Database]) -> Database:
    return open_database()


@pytest.fixture
def users(database: Database) -> Users:
    return Users(database)


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


def refused(reason: str) -> pytest.RaisesExc[RecordError]:
    return pytest.RaisesExc(RecordError, check=lambda error: error.reason == reason)


def test_a_user_logs_in_with_their_password_however_the_name_is_written(users: Users) -> None:
    added = users.add("  Ann   Lee ", PASSWORD, "operator")
    assert (added.name, added.role, added.disabled) == ("Ann Lee", "operator", False)
    assert users.authenticate("ann lee", PASSWORD) == added
    assert users.authenticate("ANN LEE", OTHER) is None
    assert users.authenticate("nobody", PASSWORD) is None
    assert users.authenticate("a\x00b", PASSWORD) is None
    assert [user.name for user in users.listed()] == ["Ann Lee"]


def test_the_password_itself_is_nowhere_in_the_database(users: Users, database: Database) -> None:
    users.add("ann", PASSWORD, "admin")
    with database.reading() as session:
        kept = session.scalars(select(UserRow.password)).one()
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept


def test_a_name_that_is_none_is_refused(users: Users) -> None:
    for name in ("", " ", "a/b", "x" * 65, "-rf", "a\nb\x00", "<b>", "a:b"):
        with refused("bad-name"):
            users.add(name, PASSWORD, "viewer")


def test_two_users_never_have_the_same_name(users: Users) -> None:
    users.add("Ann", PASSWORD, "viewer")
    with refused("name-taken"):
        users.add("ANN", PASSWORD, "viewer")

    def add(number: int) -> bool:
        try:
            users.add("Bob" if number % 2 else "bob", PASSWORD, "viewer")
        except RecordError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, range(4))) == 1


def test_a_password_that_is_too_short_is_refused(users: Users) -> None:
    with refused("bad-password"):
        users.add("ann", "too short", "viewer")
    users.add("ann", PASSWORD, "viewer")
    with refused("bad-password"):
        users.change("ann", password="short")
    assert users.authenticate("ann", PASSWORD)


def test_the_stamp_changes_with_password_role_and_disabling_and_with_nothing_else(
    users: Users,
) -> None:
    users.add("boss", PASSWORD, "admin")
    user = users.add("ann", PASSWORD, "viewer")

    def changed(**wanted: str | bool) -> bool:
        nonlocal user
        before = user.stamp
        after = users.change("Ann", **wanted)  # type: ignore[arg-type]
        assert after is not None
        user = after
        return user.stamp != before

    assert changed(password=OTHER)
    assert changed(role="operator")
    assert changed(disabled=True)
    assert changed(disabled=False)
    assert not changed(role="operator", disabled=False)
    assert not changed()
    assert users.authenticate("ann", OTHER) == user == users.get("ann")
    assert users.change("nobody", role="viewer") is None


def test_a_disabled_user_is_not_let_in(users: Users) -> None:
    users.add("boss", PASSWORD, "admin")
    users.add("ann", PASSWORD, "viewer")
    users.change("ann", disabled=True)
    assert users.authenticate("ann", PASSWORD) is None


def test_the_last_admin_stays_one(users: Users) -> None:
    users.add("ann", PASSWORD, "admin")
    users.add("eve", PASSWORD, "admin")
    users.change("eve", disabled=True)
    for leave in (
        lambda: users.remove("ann"),
        lambda: users.change("ann", role="operator"),
        lambda: users.change("ann", disabled=True),
    ):
        with refused("last-admin"):
            leave()
    users.change("eve", disabled=False)
    assert users.remove("ann")
    assert not users.remove("ann")
    with refused("last-admin"):
        users.remove("eve")


def test_of_two_admins_who_leave_at_once_one_stays(users: Users) -> None:
    users.add("ann", PASSWORD, "admin")
    users.add("eve", PASSWORD, "admin")

    def leave(name: str) -> bool:
        try:
            return users.remove(name)
        except RecordError:
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(leave, ["ann", "eve"])) == 1


def test_a_hash_with_old_parameters_is_made_anew_at_login(users: Users, database: Database) -> None:
    before = users.add("ann", PASSWORD, "admin")
    old = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    with database.writing() as session:
        session.execute(update(UserRow).values(password=old))
    assert users.authenticate("ann", OTHER) is None
    assert users.authenticate("ann", PASSWORD) == before
    with database.reading() as session:
        kept = session.scalars(select(UserRow.password)).one()
    assert kept != old
    assert users.authenticate("ann", PASSWORD) == before


def test_a_token_is_good_for_its_scopes_until_it_is_revoked(database: Database) -> None:
    tokens = Tokens(database)
    made = tokens.create(" the   dashboard ", ["streams", "read", "read"])
    assert is_token(made.text)
    assert len(made.text) >= 43
    assert (made.info.name, made.info.scopes) == ("the dashboard", ("read", "streams"))
    found = tokens.check(made.text)
    assert found is not None
    assert found.scopes == ("read", "streams")
    assert tokens.check(made.text + "x") is None
    assert tokens.check(made.text[:-1]) is None
    assert tokens.check("") is None
    assert tokens.revoke(made.info.id)
    assert not tokens.revoke(made.info.id)
    assert tokens.check(made.text) is None


def test_the_token_itself_is_nowhere_in_the_database(database: Database) -> None:
    made = Tokens(database).create("x", ["read"])
    with database.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM api_tokens")).one()
    assert made.text not in str(row)
    assert made.text not in repr(made)


def test_a_token_ends_when_it_was_told_to(database: Database) -> None:
    clock = Clock()
    tokens = Tokens(database, clock)
    made = tokens.create("x", ["read"], NOON + timedelta(days=1))
    assert tokens.check(made.text) is not None
    clock.at += timedelta(days=1)
    assert tokens.check(made.text) is None
    assert [token.name for token in tokens.listed()] == ["x"]
    with refused("bad-expiry"):
        tokens.create("y", ["read"], NOON)


def test_the_last_use_is_noted_to_the_minute(database: Database) -> None:
    clock = Clock()
    tokens = Tokens(database, clock)
    made = tokens.create("x", ["read"])
    assert tokens.listed()[0].last_used_at is None
    for later_s, noted_s in ((0, 0), (59, 0), (60, 60)):
        clock.at = NOON + timedelta(seconds=later_s)
        tokens.check(made.text)
        assert tokens.listed()[0].last_used_at == NOON + timedelta(seconds=noted_s)


def test_odd_tokens_are_not_made(database: Database) -> None:
    tokens = Tokens(database)
    tokens.create("x", ["read"])
    for name, scopes, reason in (
        ("x", ["read"], "name-taken"),
        ("", ["read"], "bad-name"),
        ("a\x00", ["read"], "bad-name"),
        ("y", [], "bad-scopes"),
        ("y", ["root"], "bad-scopes"),
    ):
        with refused(reason):
            tokens.create(name, scopes)
    with database.reading() as session:
        assert len(session.scalars(select(TokenRow)).all()) == 1


def test_another_identifier_knows_the_same_users_and_tokens(
    open_database: Callable[[], Database],
) -> None:
    first, second = open_database(), open_database()
    user: User = Users(first).add("ann", PASSWORD, "admin")
    made = Tokens(first).create("x", ["read"])
    assert Users(second).authenticate("ann", PASSWORD) == user
    assert Tokens(second).check(made.text) is not None
