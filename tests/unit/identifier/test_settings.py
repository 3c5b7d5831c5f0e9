"""What the identifier can be told, and what it refuses to be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from identifier.settings import IdentifierSettings
from services.errors import SettingsError


def load(**env: str) -> IdentifierSettings:
    return IdentifierSettings.load(env=env)


def test_the_defaults_listen_on_this_machine_only_and_keep_an_sqlite_gallery() -> None:
    settings = load(DATA_DIR="/somewhere")
    assert settings.api_on_loopback
    assert settings.group == "facestream-identifier"
    assert settings.database_address == "sqlite:////somewhere/facestream.db"
    assert settings.threshold is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "identifier"])  # noqa: S104
def test_an_api_that_others_reach_wants_a_token(host: str) -> None:
    with pytest.raises(SettingsError, match="set API_TOKEN") as caught:
        load(API_HOST=host)
    assert "\n" not in str(caught.value)
    assert load(API_HOST=host, API_TOKEN="long enough").api_token is not None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    assert load(API_HOST=host).api_on_loopback


def test_a_token_may_come_from_a_file_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame open\n")
    settings = load(API_TOKEN_FILE=str(tmp_path / "token"), DATABASE_URL="postgresql://u:pw@h/d")
    assert settings.api_token is not None
    assert settings.api_token.get_secret_value() == "sesame open"
    assert "sesame" not in repr(settings)
    assert "pw" not in repr(settings)


def test_producers_have_a_token_of_their_own_and_never_the_one_for_everything(
    tmp_path: Path,
) -> None:
    (tmp_path / "token").write_text("open barley\n")
    settings = load(API_TOKEN="sesame open", PRODUCER_TOKEN_FILE=str(tmp_path / "token"))
    assert settings.producer_token is not None
    assert settings.producer_token.get_secret_value() == "open barley"
    assert "barley" not in repr(settings)
    with pytest.raises(SettingsError, match="PRODUCER_TOKEN is API_TOKEN") as caught:
        load(API_TOKEN="sesame open", PRODUCER_TOKEN="sesame open")
    assert "sesame" not in str(caught.value)
    with pytest.raises(SettingsError, match="PRODUCER_TOKEN"):
        load(PRODUCER_TOKEN="short")


def test_a_producers_token_does_not_open_an_api_that_others_reach() -> None:
    with pytest.raises(SettingsError, match="set API_TOKEN"):
        load(API_HOST="0.0.0.0", PRODUCER_TOKEN="long enough")  # noqa: S104


def test_a_person_needs_a_reference_and_gets_a_group_of_their_own() -> None:
    with pytest.raises(SettingsError, match="PERSON and REFERENCE"):
        load(PERSON="Sam")
    settings = load(PERSON="Sam Smith", REFERENCE="sam.jpg")
    assert settings.group == "facestream-person-sam-smith"
    assert load(PERSON="Sam", REFERENCE="sam.jpg", GROUP_ID="mine").group == "mine"


@pytest.mark.parametrize(
    ("name", "value"), [("THRESHOLD", "2"), ("REORDER_WINDOW_MS", "-1"), ("API_PORT", "70000")]
)
def test_a_value_out_of_range_names_the_variable_the_value_and_the_range(
    name: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=f"{name}='{value}'.*allowed"):
        load(**{name: value})
