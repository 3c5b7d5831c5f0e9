"""Sightings read part by part from a real identifier's API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.browser.sightings_fixtures import Past, served_past
from tests.footage import clip_jpegs
from viewer.identifier import Identifier
from viewer.pages.sightings.filters import Filters
from viewer.pages.sightings.reading import before, counts, following, newest, parts_of

END = datetime(2026, 11, 1, tzinfo=UTC)
COUNT = 5_200
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def past(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    """A sighting an hour, so many that they cannot be counted at once; no Kafka is asked."""
    folder = tmp_path_factory.mktemp("past")
    with served_past("127.0.0.1:9", "none-", folder, clip_jpegs(test_data)) as made:
        slug = made.enrol("Ada", 1, made.jpegs[0])
        made.write(made.see("first", END, slug=slug, name="Ada"))
        made.write_many(COUNT, END - HOUR, HOUR)
        yield made


@pytest.fixture
def identifier(past: Past) -> Iterator[Identifier]:
    found = Identifier(past.url)
    yield found
    found.close()


def test_all_parts_come_newest_first_and_none_twice(identifier: Identifier) -> None:
    ids = [each["id"] for part in parts_of(identifier, Filters()) for each in part]
    assert len(ids) == len(set(ids)) == COUNT + 1


def test_no_more_than_wanted_are_read(identifier: Identifier) -> None:
    found = newest(identifier, Filters(), 700)
    assert (len(found.sightings), found.whole) == (700, False)
    few = newest(identifier, Filters(since=END - 10 * HOUR), 700)
    assert (len(few.sightings), few.whole) == (11, True)


def test_what_is_too_much_to_count_at_once_is_counted_in_parts(identifier: Identifier) -> None:
    period = Filters(since=END - timedelta(days=300), until=END + HOUR)
    found = counts(identifier, period)
    assert sum(count["sightings"] for count in found) == COUNT + 1
    assert len({(count["hour"], count["camera"]) for count in found}) == COUNT + 1
    assert counts(identifier, replace(period, who="unknown")) == []


def test_from_each_sighting_one_gets_to_the_next_and_back(identifier: Identifier) -> None:
    now = END + timedelta(days=30)
    listed = newest(identifier, Filters(since=END - 3 * HOUR), 10).sightings
    for newer, older in pairwise(listed):
        at, earlier = (datetime.fromisoformat(each["started_at"]) for each in (newer, older))
        assert before(identifier, Filters(), at) == older["id"]
        assert following(identifier, Filters(), earlier, now) == newer["id"]
    assert following(identifier, Filters(), END, now) is None
    hall = Filters(camera="hall")
    first = datetime.fromisoformat(listed[-1]["started_at"])
    step = following(identifier, hall, first, now)
    assert step is not None
    assert identifier.get(f"/sightings/{step}")["camera"] == "hall"
