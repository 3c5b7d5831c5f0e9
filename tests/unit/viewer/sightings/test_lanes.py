from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.unit.viewer.sightings.listed import TEXTS, sighting
from viewer.identifier import Json
from viewer.pages.sightings.lanes import Lane, lanes_of, ticks

SINCE = datetime(2026, 11, 21, tzinfo=UTC)
UNTIL = SINCE + timedelta(hours=10)
UTC_ZONE = ZoneInfo("UTC")


def lay(*sightings: Json, by_person: bool = False) -> list[Lane]:
    return lanes_of(sightings, SINCE, UNTIL, UTC_ZONE, TEXTS, by_person=by_person)


def at(hours: float) -> str:
    return (SINCE + timedelta(hours=hours)).isoformat()


def test_a_bar_is_where_and_as_wide_as_the_sighting_was_long() -> None:
    ((lane,),) = (lay(sighting(at(1), 3_600, slug="ada")),)
    (bar,) = lane.bars
    assert (bar.x, bar.width) == (10, 10)
    assert bar.text == "Ada, hall, 21 Nov 01:00:00 – 02:00:00"


def test_a_short_one_can_still_be_seen_and_none_leaves_the_picture() -> None:
    (lane,) = lay(
        sighting(at(9.999), 600, slug="ada"), sighting(at(-1), 4_000, slug="bob", number=2)
    )
    assert all(
        bar.x >= 0 and bar.x + bar.width <= 100.01 and bar.width >= 0.39 for bar in lane.bars
    )


def test_people_who_are_there_together_are_below_each_other() -> None:
    (lane,) = lay(
        sighting(at(1), 3_600, slug="ada"),
        sighting(at(1.5), 3_600, slug="bob", number=2),
        sighting(at(3), 3_600, slug="eve", number=3),
    )
    assert [bar.row for bar in lane.bars] == [0, 1, 0]
    assert lane.rows == 2


def test_lanes_are_cameras_or_people_the_busiest_first() -> None:
    seen = [
        sighting(at(1), slug="ada", camera="gate"),
        sighting(at(2), slug="ada", camera="hall", number=2),
        sighting(at(3), unknown=4, camera="hall", number=3),
    ]
    assert [lane.title for lane in lay(*seen)] == ["hall", "gate"]
    assert [lane.title for lane in lay(*seen, by_person=True)] == ["Ada", "Unknown 4"]


def test_thousands_become_as_many_bars_as_a_page_can_hold_and_none_is_lost() -> None:
    seen = [
        sighting(at(10 * n / 5_000), 3, slug=f"p{n % 7}", camera=f"c{n % 5}", number=n)
        for n in range(5_000)
    ]
    lanes = lay(*seen)
    bars = [bar for lane in lanes for bar in lane.bars]
    assert len(bars) <= 800
    assert sum(bar.span.sightings for bar in bars) == 5_000


def test_a_merged_bar_says_how_many_it_stands_for() -> None:
    (lane,) = lay(*(sighting(at(1 + n / 1_000), 2, slug="ada", number=n) for n in range(5)))
    (bar,) = lane.bars
    assert bar.span.sightings == 5
    assert "5 sightings" in bar.text


def test_different_people_are_never_one_bar() -> None:
    (lane,) = lay(sighting(at(1), 2, slug="ada"), sighting(at(1), 2, slug="bob", number=2))
    assert len(lane.bars) == 2


def test_the_axis_has_round_times_of_the_readers_clock() -> None:
    assert [tick.text for tick in ticks(SINCE, UNTIL, UTC_ZONE, TEXTS)] == [
        "02:00",
        "04:00",
        "06:00",
        "08:00",
    ]
    days = ticks(SINCE, SINCE + timedelta(days=7), ZoneInfo("Europe/Berlin"), TEXTS)
    assert [tick.text for tick in days][:2] == ["22 Nov", "23 Nov"]
    assert round(days[0].x, 6) == round(100 * 23 / (7 * 24), 6)


def test_the_axis_is_never_crowded() -> None:
    for minutes in (3, 60, 600, 1_440, 10_080, 43_200, 525_600):
        found = ticks(SINCE, SINCE + timedelta(minutes=minutes), UTC_ZONE, TEXTS)
        assert 1 <= len(found) <= 8
