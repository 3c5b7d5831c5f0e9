"""Who is given which token on one machine."""

from __future__ import annotations

from services.cli.credentials import Tokens


def seen_by(child: dict[str, str], user: dict[str, str]) -> dict[str, str]:
    """What a child finds in its environment, empty variables left out: they count as not set."""
    return {name: value for name, value in (user | child).items() if value}


def test_where_the_api_wants_no_token_nobody_is_given_one() -> None:
    tokens = Tokens.of({"PATH": "/bin", "API_TOKEN": ""})
    assert (tokens.identifier, tokens.viewer, tokens.producer, tokens.worker) == ({}, {}, {}, {})


def test_a_producer_is_given_another_token_than_the_one_for_everything() -> None:
    user = {"API_TOKEN": "good for everything", "IDENTIFIER_TOKEN": "good for everything"}
    tokens = Tokens.of(user)
    made = tokens.identifier["PRODUCER_TOKEN"]
    assert len(made) >= 40
    assert seen_by(tokens.viewer, user)["IDENTIFIER_TOKEN"] == "good for everything"
    assert seen_by(tokens.producer, user) == {"IDENTIFIER_TOKEN": made}
    assert seen_by(tokens.worker, user) == {}
    assert Tokens.of(user).identifier["PRODUCER_TOKEN"] != made
    assert made not in repr(tokens)
    assert "everything" not in repr(tokens)


def test_a_token_in_a_file_stays_there() -> None:
    user = {"API_TOKEN_FILE": "/run/api", "PRODUCER_TOKEN_FILE": "/run/producer"}
    tokens = Tokens.of(user)
    assert tokens.identifier == {}
    assert seen_by(tokens.viewer, user)["IDENTIFIER_TOKEN_FILE"] == "/run/api"
    assert seen_by(tokens.producer, user) == {"IDENTIFIER_TOKEN_FILE": "/run/producer"}


def test_producers_elsewhere_keep_the_token_that_the_user_gave_them() -> None:
    tokens = Tokens.of({"API_TOKEN": "good for everything", "PRODUCER_TOKEN": "good for cameras"})
    assert tokens.identifier == {}
    assert tokens.producer["IDENTIFIER_TOKEN"] == "good for cameras"
