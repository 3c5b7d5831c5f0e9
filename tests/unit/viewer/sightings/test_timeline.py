from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from tests.unit.viewer.sightings.listed import TEXTS, sighting
from viewer.pages.sightings.timeline import by_day, lasted, line_of

UTC_ZONE = ZoneInfo("UTC")
TODAY = date(2026, 11, 21)


def test_lines_stand_under_the_readers_days() -> None:
    late, early = "2026-11-20T23:30:00+00:00", "2026-11-20T22:30:00+00:00"
    listed = [sighting(late), sighting(early)]

    def days(zone: str) -> list[str]:
        lines = [line_of(each, ZoneInfo(zone), TEXTS) for each in listed]
        return [day.title for day in by_day(lines, TODAY, TEXTS)]

    assert days("UTC") == ["Yesterday"]
    assert days("Europe/Berlin") == ["Today", "Yesterday"]
    assert days("America/New_York") == ["Yesterday"]


def test_an_older_day_is_written_in_full() -> None:
    line = line_of(sighting("2026-03-01T12:00:00+00:00"), UTC_ZONE, TEXTS)
    assert by_day([line], TODAY, TEXTS)[0].title == "Sunday, 1 March 2026"


def test_a_line_says_who_where_when_and_how_long() -> None:
    line = line_of(sighting("2026-11-21T06:00:05+00:00", 65, slug="ada"), UTC_ZONE, TEXTS)
    assert (line.who, line.camera, line.began, line.ended) == (
        "Ada",
        "hall",
        "06:00:05",
        "06:01:10",
    )
    assert (line.lasted, line.similarity, line.hue[:4]) == ("1 min 5 s", "0.61", "hue-")


def test_somebody_unknown_has_a_number_and_a_colour_of_their_own() -> None:
    began = "2026-11-21T06:00:00+00:00"
    assert line_of(sighting(began, unknown=7), UTC_ZONE, TEXTS).who == "Unknown 7"
    nobody = line_of(sighting(began), UTC_ZONE, TEXTS)
    assert (nobody.who, nobody.hue, nobody.similarity) == ("Somebody", "hue-unknown", "")


def test_who_is_still_there_has_no_end_and_who_leaves_tomorrow_has_a_day() -> None:
    there = line_of(sighting("2026-11-21T06:00:00+00:00", ended=False), UTC_ZONE, TEXTS)
    assert there.ended == ""
    over = line_of(sighting("2026-11-20T23:59:55+00:00", 10), UTC_ZONE, TEXTS)
    assert over.ended == "21 Nov 00:00:05"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.6, "1 min"), (3_600, "1 h"), (3_725, "1 h 2 min"), (97_200, "1 d 3 h")],
)
def test_how_long_is_said_in_two_units_at_most(seconds: float, text: str) -> None:
    assert lasted(seconds, TEXTS) == text
