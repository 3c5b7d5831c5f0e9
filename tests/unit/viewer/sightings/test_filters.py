from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest

from viewer.pages.sightings.filters import Filters, read_filters
from viewer.pages.sightings.zones import hour_exists, midnight, parse_local, zone_of

NOW = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def find(text: str) -> tuple[str, str] | None:
    return ("ada", "Ada Lovelace") if text in ("ada", "Ada Lovelace") else None


def read(cookie: str | None = None, **given: str) -> Filters:
    given = {name.removesuffix("_"): value for name, value in given.items()}
    return read_filters(given, find, NOW, cookie)


def test_an_empty_address_asks_for_everybody() -> None:
    found = read()
    assert not found.any
    assert not found.wrong
    assert found.up_to_now
    assert set(found.params().values()) == {None}


def test_a_person_is_found_by_slug_and_by_name_and_written_as_slug() -> None:
    for text in ("ada", " Ada Lovelace "):
        found = read(person=text)
        assert (found.person, found.name) == ("ada", "Ada Lovelace")
        assert found.address() == "/sightings?person=ada"


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"person": "zoe"}, "person"),
        ({"camera": "../etc"}, "camera"),
        ({"who": "friends"}, "who"),
        ({"unknown": "0"}, "unknown"),
        ({"unknown": "-3"}, "unknown"),
        ({"unknown": "²"}, "unknown"),
        ({"unknown": "99999999999999"}, "unknown"),
        ({"similarity": "high"}, "similarity"),
        ({"similarity": "nan"}, "similarity"),
        ({"similarity": "1.5"}, "similarity"),
        ({"from_": "yesterday"}, "from"),
        ({"until": "9999-12-31T23:59"}, "until"),
        ({"from_": "2026-01-02T00:00", "until": "2026-01-01T00:00"}, "order"),
        ({"period": "century"}, "period"),
    ],
)
def test_what_makes_no_sense_is_named(given: dict[str, str], wrong: str) -> None:
    assert list(read(**given).wrong) == [wrong]


def test_times_are_those_of_the_zone_in_the_address_and_shown_in_the_readers() -> None:
    found = read(cookie="Asia/Tokyo", from_="2026-11-20T08:00", zone=BERLIN)
    assert found.since == datetime(2026, 11, 20, 7, tzinfo=UTC)
    assert found.since_field == "2026-11-20T16:00"
    assert found.zone.key == "Asia/Tokyo"


def test_without_scripts_times_are_utc() -> None:
    found = read(from_="2026-11-20T08:00")
    assert found.since == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert found.zone.key == "UTC"


def test_an_address_read_again_asks_for_the_same() -> None:
    found = read(
        cookie=BERLIN,
        person="ada",
        camera="hall",
        who="named",
        from_="2026-10-01T10:00",
        until="2026-10-02T11:30",
        similarity="0.45",
        unknown="7",
    )
    query = dict(parse_qsl(urlsplit(found.address()).query))
    again = read_filters(query, find, NOW, None)
    assert again == found


def test_a_period_ends_now_and_today_begins_at_the_readers_midnight() -> None:
    assert read(period="hour").since == NOW - timedelta(hours=1)
    today = read(cookie=BERLIN, period="today")
    assert today.since == datetime(2026, 11, 20, 23, tzinfo=UTC)
    assert today.up_to_now
    assert today.since_field == ""
    assert today.address() == "/sightings?period=today"


def test_times_that_are_given_count_before_a_period() -> None:
    found = read(period="hour", from_="2026-11-01T00:00")
    assert found.period == ""
    assert "period" not in found.query()


def test_a_link_to_another_period_keeps_the_rest() -> None:
    found = read(person="ada", from_="2026-11-01T00:00")
    assert found.address(period="7d") == "/sightings?person=ada&period=7d"
    assert found.address(period=None) == "/sightings?person=ada"


def test_one_unknown_number_counts_before_with_or_without_a_name() -> None:
    params = read(unknown="7", who="named").params()
    assert (params["unknown"], params["named"]) == (7, None)
    assert read(who="unknown").params()["named"] == "false"
    assert read(who="named").params()["named"] == "true"


def test_a_view_of_a_period_has_both_ends() -> None:
    day = timedelta(days=1)
    assert read().within(day, NOW).since == NOW - day
    ahead = read(from_="2027-01-01T00:00").within(day, NOW)
    assert ahead.until == datetime(2027, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "name", ["", "Mars/Phobos", "../../etc/passwd", "/etc/passwd", "Europe", "a\x00b"]
)
def test_a_zone_that_is_none_is_none(name: str) -> None:
    assert zone_of(name) is None


def test_the_hour_that_clocks_skip_does_not_exist() -> None:
    berlin = ZoneInfo(BERLIN)
    spring = datetime(2026, 3, 29, tzinfo=UTC).date()
    assert not hour_exists(spring, 2, berlin)
    assert hour_exists(spring, 3, berlin)
    assert midnight(datetime(2026, 3, 29, 12, tzinfo=UTC), berlin).hour == 23


def test_a_time_with_an_offset_says_itself_what_it_means() -> None:
    found = parse_local("2026-06-01T12:00+05:30", ZoneInfo("UTC"))
    assert found == datetime(2026, 6, 1, 6, 30, tzinfo=UTC)
