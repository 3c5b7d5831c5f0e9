"""Moments as people type them."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.people.since import moment, rfc3339
from services.errors import SettingsError

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("45m", timedelta(minutes=45)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("2 W", timedelta(weeks=2)),
    ],
)
def test_a_number_and_a_unit_is_so_long_ago(text: str, ago: timedelta) -> None:
    assert moment(text, NOW) == NOW - ago


def test_a_time_with_a_zone_is_that_moment() -> None:
    assert moment("2026-11-01T18:30+02:00", NOW) == datetime(2026, 11, 1, 16, 30, tzinfo=UTC)
    assert moment("2026-11-01T18:30Z", NOW) == datetime(2026, 11, 1, 18, 30, tzinfo=UTC)


def test_a_date_is_its_midnight_here() -> None:
    here = datetime(2026, 11, 1).astimezone()
    assert moment("2026-11-01", NOW) == here


@pytest.mark.parametrize("text", ["", "yesterday", "30", "d30", "-3d", "2026-13-01", "999999w"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(SettingsError):
        moment(text, NOW)


@given(st.text(max_size=20))
def test_no_text_breaks_it(text: str) -> None:
    with contextlib.suppress(SettingsError):
        assert moment(text, NOW).tzinfo is UTC


def test_the_api_is_told_utc() -> None:
    assert rfc3339(datetime(2026, 11, 1, 16, 30, tzinfo=UTC)) == "2026-11-01T16:30:00Z"
