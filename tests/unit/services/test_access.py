from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from services.access import (
    ROLES,
    SCOPES,
    clean_scopes,
    clean_user_name,
    hash_password,
    is_outdated,
    is_password_hash,
    scopes_of,
    user_key,
    verify_password,
)
from services.errors import RecordError


def test_a_bigger_role_may_all_that_a_smaller_one_may() -> None:
    assert ROLES["viewer"] < ROLES["operator"] < ROLES["admin"]
    assert set(SCOPES) - ROLES["admin"] == {"producer"}
    assert scopes_of("operator") == ROLES["operator"]
    assert scopes_of("") == scopes_of("root") == frozenset()


def test_a_password_is_right_however_the_keyboard_spells_it() -> None:
    hashed = hash_password("pa\u0308sswo\u0308rter")
    assert hashed.startswith("$argon2id$")
    assert verify_password(hashed, "p\u00e4ssw\u00f6rter")
    assert not verify_password(hashed, "passworter")
    assert not verify_password(hashed, "x" * 10_000_000)
    assert not verify_password("no hash", "x")
    assert not is_outdated(hashed)


def test_every_hash_of_a_password_is_another() -> None:
    assert hash_password("correct horse") != hash_password("correct horse")


@pytest.mark.parametrize(
    "text", ["", "hunter2", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$", "$argon2id$v=19$m=1"]
)
def test_what_is_no_argon2_hash_is_told_apart(text: str) -> None:
    assert not is_password_hash(text)


def test_hashes_with_other_parameters_are_hashes_and_outdated() -> None:
    old = PasswordHasher(time_cost=1, memory_cost=1_024, parallelism=1).hash("x")
    assert is_password_hash(old)
    assert is_outdated(old)


def test_names_are_the_same_in_upper_and_lower_case() -> None:
    assert clean_user_name("  Ann\t Lee ") == "Ann Lee"
    assert user_key("ANN  lee") == user_key("Ann Lee")
    assert clean_user_name("Zoë@example.org") == "Zoë@example.org"


def test_scopes_come_in_their_order_each_once() -> None:
    assert clean_scopes(["erase", " Read", "erase"]) == ("read", "erase")
    with pytest.raises(RecordError, match="there is no scope fly, see; scopes are read"):
        clean_scopes(["see", "read", "fly"])
