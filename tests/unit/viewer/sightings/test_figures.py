from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.unit.viewer.sightings.listed import TEXTS, sighting
from viewer.pages.sightings.figures import (
    Count,
    HeatMap,
    count_up,
    heat_map,
    read_counts,
    totals_by_camera,
    totals_by_person,
)

BERLIN = ZoneInfo("Europe/Berlin")


def count(hour: datetime, sightings: int = 1, slug: str = "ada", camera: str = "hall") -> Count:
    return Count(hour, camera, slug, slug.title(), sightings, 60.0 * sightings)


def numbers(found: HeatMap, row: int) -> list[int | None]:
    return [cell.sightings for cell in found.rows[row][1]]


def test_an_hour_of_utc_is_counted_in_the_readers_day_and_hour() -> None:
    since = datetime(2026, 11, 20, 0, tzinfo=UTC)
    until = datetime(2026, 11, 21, 12, tzinfo=UTC)
    found = heat_map(
        [count(datetime(2026, 11, 20, 23, tzinfo=UTC), 3)], since, until, BERLIN, TEXTS
    )
    assert [title for title, _ in found.rows] == ["Sat 21 Nov", "Fri 20 Nov"]
    assert numbers(found, 0)[0] == 3
    assert found.most == 3


def test_hours_outside_the_period_are_empty() -> None:
    since = datetime(2026, 11, 21, 6, tzinfo=UTC)
    found = heat_map([], since, since + timedelta(hours=3), ZoneInfo("UTC"), TEXTS)
    assert numbers(found, 0) == [None] * 6 + [0] * 3 + [None] * 15


def test_the_day_that_loses_an_hour_has_a_gap_and_counts_everything() -> None:
    midnight = datetime(2026, 3, 28, 23, tzinfo=UTC)
    counts = [count(midnight + timedelta(hours=n)) for n in range(23)]
    found = heat_map(counts, midnight, midnight + timedelta(hours=23), BERLIN, TEXTS)
    row = numbers(found, 0)
    assert len(found.rows) == 1
    assert row[2] is None
    assert sum(number or 0 for number in row) == 23


def test_the_day_that_has_an_hour_twice_counts_both_in_it() -> None:
    midnight = datetime(2026, 10, 24, 22, tzinfo=UTC)
    counts = [count(midnight + timedelta(hours=n)) for n in range(25)]
    found = heat_map(counts, midnight, midnight + timedelta(hours=25), BERLIN, TEXTS)
    assert len(found.rows) == 1
    assert numbers(found, 0)[2] == 2
    cell = found.rows[0][1][2]
    assert cell.since is not None
    assert cell.until is not None
    assert cell.until - cell.since == timedelta(hours=2)


def test_where_clocks_are_half_an_hour_off_nothing_is_lost() -> None:
    since = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
    counts = [count(datetime(2026, 11, 20, 18, tzinfo=UTC)), count(since + timedelta(minutes=30))]
    found = heat_map(counts, since, since + timedelta(days=1), ZoneInfo("Asia/Kolkata"), TEXTS)
    assert sum(number or 0 for n in range(len(found.rows)) for number in numbers(found, n)) == 2


def test_a_long_period_is_shown_by_weekday() -> None:
    since = datetime(2026, 9, 1, tzinfo=UTC)
    counts = [count(since + timedelta(days=7 * n, hours=9)) for n in range(5)]
    found = heat_map(counts, since, since + timedelta(days=60), ZoneInfo("UTC"), TEXTS)
    assert found.weekdays
    assert [title for title, _ in found.rows][:2] == ["Monday", "Tuesday"]
    assert numbers(found, 1)[9] == 5


def test_levels_go_from_none_to_the_most() -> None:
    start = datetime(2026, 11, 21, tzinfo=UTC)
    counts = [count(start, 1), count(start + timedelta(hours=1), 100)]
    found = heat_map(counts, start, start + timedelta(hours=3), ZoneInfo("UTC"), TEXTS)
    assert [cell.level for cell in found.rows[0][1][:3]] == [1, 5, 0]


def test_totals_are_per_person_and_per_camera_the_most_first() -> None:
    hour = datetime(2026, 11, 21, 6, tzinfo=UTC)
    counts = [count(hour, 1, "ada"), count(hour, 3, "bob", "gate"), count(hour, 2, "")]
    people = totals_by_person(counts, TEXTS)
    assert [(each.title, each.sightings) for each in people] == [
        ("Bob", 3),
        ("Unknown people", 2),
        ("Ada", 1),
    ]
    assert (people[0].sightings_share, people[0].time) == (100, "3 min")
    assert [each.title for each in totals_by_camera(counts, TEXTS)] == ["gate", "hall"]


def test_more_than_can_be_shown_is_summed_up() -> None:
    hour = datetime(2026, 11, 21, 6, tzinfo=UTC)
    found = totals_by_person([count(hour, 1, f"p{n:02}") for n in range(30)], TEXTS)
    assert (len(found), found[-1].title, found[-1].sightings) == (21, "10 others", 10)


def test_sightings_are_counted_as_the_identifier_counts_them() -> None:
    listed = [
        sighting("2026-11-21T06:59:59+00:00", 20, slug="ada"),
        sighting("2026-11-20T06:00:00+00:00", 20, slug="ada"),
    ]
    found = count_up(listed, datetime(2026, 11, 21, tzinfo=UTC))
    assert found == [Count(datetime(2026, 11, 21, 6, tzinfo=UTC), "hall", "ada", "Ada", 1, 20.0)]
    told = {"hour": "2026-11-21T06:00:00Z", "camera": "hall", "person": None, "sightings": 2,
            "seconds": 1.5}  # fmt: skip
    assert read_counts([told])[0].slug == ""
