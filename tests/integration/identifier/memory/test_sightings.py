"""Sightings are found, counted, and forgotten in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from identifier.memory.retention import Keep, Retention
from identifier.memory.sightings import SightingFilter
from identifier.memory.tables import SightingRow
from services.errors import RecordError
from tests.integration.identifier.memory.conftest import Bench
from tests.integration.identifier.memory.tracks import make_person, seen
from tests.integration.identifier.unknowns.strangers import NOON


@pytest.fixture
def week(bench: Bench) -> Bench:
    """Alice at the door every noon of a week, a stranger in the yard an hour later."""
    make_person(bench.database, "alice")
    for day in range(7):
        at = NOON + timedelta(days=day)
        bench.write(
            seen(f"alice {day}", 1, at=at, who="alice", ended=True),
            seen(f"stranger {day}", 2, camera="yard", at=at + timedelta(hours=1), ended=True),
        )
    return bench


def found(bench: Bench, limit: int = 100, **wanted: object) -> list[str]:
    page, _ = bench.sightings.list(SightingFilter(**wanted), limit=limit)  # type: ignore[arg-type]
    return [f"{each.slug or each.unknown} {each.camera} {each.started_at:%d %H}" for each in page]


def test_they_are_filtered_by_who_where_when_and_how_surely(week: Bench) -> None:
    assert len(found(week)) == 14
    assert found(week)[0] == "1 yard 07 13"
    assert len(found(week, person="alice")) == 7
    assert len(found(week, camera="yard")) == len(found(week, unknown=1)) == 7
    assert found(week, named=False) == found(week, camera="yard")
    assert found(week, person="nobody") == []
    assert len(found(week, min_score=0.7)) == 7
    assert found(week, min_score=0.72) == []
    third = NOON + timedelta(days=2)
    assert found(week, since=third, until=third + timedelta(hours=1)) == ["alice door 03 12"]


def test_pages_follow_each_other_without_gap_or_overlap(week: Bench) -> None:
    seen_ids: list[str] = []
    mark: str | None = None
    for _ in range(5):
        page, mark = week.sightings.list(SightingFilter(), limit=3, after=mark)
        seen_ids += [each.id for each in page]
    assert mark is None
    assert len(seen_ids) == len(set(seen_ids)) == 14


@pytest.mark.parametrize(
    "mark",
    [
        "",
        "x",
        "bm90aGluZw",
        "é",
        "MjAyNg==",
        "MjAyNi0wMS0wMVQwMDowMDowMCAA",  # a NUL for an id
        "MDAwMS0wMS0wMVQwMDowMDowMCsxNDowMCBh" + "YWFh" * 10 + "YQ",  # a time before all time
    ],
)
def test_a_mark_that_nobody_gave_is_refused(bench: Bench, mark: str) -> None:
    with pytest.raises(RecordError, match="next"):
        bench.sightings.list(SightingFilter(), limit=3, after=mark)


def test_they_are_counted_by_hour_camera_and_person(week: Bench) -> None:
    counts = week.sightings.counts(NOON, NOON + timedelta(days=2), SightingFilter())
    assert [(each.hour, each.camera, each.slug, each.sightings) for each in counts] == [
        (NOON + timedelta(days=day, hours=hour), camera, slug, 1)
        for day in range(2)
        for hour, camera, slug in ((0, "door", "alice"), (1, "yard", None))
    ]
    assert counts[0].seconds == pytest.approx(0.9)
    only = week.sightings.counts(NOON, NOON + timedelta(days=9), SightingFilter(person="alice"))
    assert sum(each.sightings for each in only) == 7


def test_what_is_too_old_is_forgotten_crops_first(bench: Bench) -> None:
    today = datetime.now(UTC)
    bench.write(
        seen("old", 1, at=today - timedelta(days=40), ended=True),
        seen("new", 2, at=today, ended=True),
    )
    old = bench.sightings.get(seen("old").id)
    assert old is not None
    aged = f"{today - timedelta(days=20):%Y/%m/%d}"
    moved = Path(bench.folder, aged, Path(old.crop).name)
    moved.parent.mkdir(parents=True)
    Path(bench.folder, old.crop).rename(moved)
    with bench.database.writing() as session:
        session.get_one(SightingRow, old.id).crop = f"{aged}/{moved.name}"

    Retention(bench.database, bench.media, Keep(10, 0, 0)).sweep()
    assert not moved.exists()
    kept = bench.sightings.get(old.id)
    assert kept is not None
    assert kept.crop == ""
    newest = bench.sightings.get(seen("new").id)
    assert newest is not None
    assert bench.media.get(newest.crop) is not None

    Retention(bench.database, bench.media, Keep(0, 30, 0)).sweep()
    assert bench.sightings.get(old.id) is None
    assert bench.sightings.get(newest.id) is not None
    assert len(bench.log.page(0, 100)) == 4

    Retention(bench.database, bench.media, Keep(0, 0, 30)).sweep()
    assert len(bench.log.page(0, 100)) == 4  # Kafka does not have them yet
    bench.log.published([event.id for event in bench.log.page(0, 100)])
    Retention(bench.database, bench.media, Keep(0, 0, 30)).sweep()
    assert len(bench.log.page(0, 100)) == 2


def test_a_sighting_and_its_crop_are_nobody_elses_business_on_disk(bench: Bench) -> None:
    bench.write(replace(seen("a"), ended=True))
    assert bench.folder.stat().st_mode & 0o077 == 0
