"""Listing, merging, ignoring and deleting unknown people; on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select

from identifier.gallery.database import Database
from identifier.memory.tables import EventRow, NegativeRow, SightingRow, UnknownRow
from identifier.unknowns.store import Unknowns
from identifier.unknowns.values import UnknownError
from services.errors import RecordError
from tests.integration.identifier.unknowns.strangers import (
    NOON,
    CropsInMemory,
    face,
    see,
    track,
)


def see_strangers(database: Database, unknowns: Unknowns, count: int, per: int = 1) -> None:
    """Unknown 1 at noon, Unknown 2 an hour later..."""
    for of in range(count):
        at = NOON + timedelta(hours=of)
        states = [
            track(f"{of} {n}", face(of, n), at=at, quality=n / per, ended=True) for n in range(per)
        ]
        see(database, unknowns, *states)


def test_the_list_is_newest_seen_first_page_by_page(database: Database, unknowns: Unknowns) -> None:
    see_strangers(database, unknowns, 5)
    see(database, unknowns, track("again", face(1, 7), at=NOON + timedelta(days=1)))
    numbers, after = [], None
    while True:
        page = unknowns.list(limit=2, after=after)
        numbers.append([one.number for one in page.unknowns])
        after = page.next
        if after is None:
            break
    assert numbers == [[2, 5], [4, 3], [1]]


def test_those_seen_at_the_same_moment_are_listed_once(
    database: Database, unknowns: Unknowns
) -> None:
    see(database, unknowns, *(track(str(of), face(of)) for of in range(4)))
    first = unknowns.list(limit=2)
    second = unknowns.list(limit=2, after=first.next)
    assert [one.number for one in first.unknowns + second.unknowns] == [4, 3, 2, 1]
    assert second.next is None


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
@pytest.mark.parametrize("cursor", ["", "?", "x" * 50, "MjAyNiAx", "MjAyNi0wMy0wMVQxMiB4"])
def test_a_cursor_that_is_none_is_refused(unknowns: Unknowns, cursor: str) -> None:
    with pytest.raises(RecordError, match="after") as caught:
        unknowns.list(after=cursor)
    assert caught.value.reason == "bad-cursor"


def test_the_clearest_crops_come_first(database: Database, unknowns: Unknowns) -> None:
    see_strangers(database, unknowns, 2, per=8)
    for one in unknowns.list().unknowns:
        assert one.sightings == 8
        assert list(one.best) == [
            track(f"{one.number - 1} {n}", face(1)).id for n in range(7, 1, -1)
        ]


def test_an_ignored_unknown_is_listed_only_when_asked_for_and_keeps_the_number(
    database: Database, unknowns: Unknowns
) -> None:
    see_strangers(database, unknowns, 2)
    assert unknowns.ignore(1, True).ignored
    assert [one.number for one in unknowns.list().unknowns] == [2]
    assert [one.number for one in unknowns.list(ignored=True).unknowns] == [2, 1]
    assert see(database, unknowns, track("again", face(0, 7))) == [1]
    with database.reading() as session:
        assert unknowns.is_ignored(session, 1)
        assert not unknowns.is_ignored(session, 2)
    assert not unknowns.ignore(1, False).ignored
    assert len(unknowns.list().unknowns) == 2


def test_merged_unknowns_are_one_under_either_number(
    database: Database, unknowns: Unknowns
) -> None:
    see_strangers(database, unknowns, 4)
    assert unknowns.merge(4, 3).number == 3
    merged = unknowns.merge(3, 1)
    assert (merged.number, merged.sightings, merged.first_at) == (1, 3, NOON)
    assert [unknowns.get(number).number for number in (1, 3, 4)] == [1, 1, 1]
    assert [one.number for one in unknowns.list().unknowns] == [1, 2]
    with database.reading() as session:
        assert set(session.scalars(select(UnknownRow.merged_into))) == {None, 1}


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("number", "into", "reason"),
    [
        (1, 1, "same-unknown"),
        (3, 1, "already-merged"),
        (2, 3, "same-unknown"),
        (9, 1, "no-such-unknown"),
        (1, 9, "no-such-unknown"),
    ],
)
def test_a_merge_that_makes_no_sense_is_refused(
    database: Database, unknowns: Unknowns, number: int, into: int, reason: str
) -> None:
    see_strangers(database, unknowns, 3)
    unknowns.merge(3, 2)
    with pytest.raises(UnknownError) as caught:
        unknowns.merge(number, into)
    assert caught.value.reason == reason


def test_a_deleted_unknown_leaves_nothing_behind(
    database: Database, unknowns: Unknowns, crops: CropsInMemory
) -> None:
    see_strangers(database, unknowns, 3, per=2)
    unknowns.merge(2, 1)
    with database.writing() as session:
        for row in session.scalars(select(SightingRow)):
            crops.crops[row.crop] = b"jpeg"
            session.add(
                EventRow(
                    key=row.id,
                    type="unknown_enter",
                    camera=row.camera,
                    sighting_id=row.id,
                    unknown_id=row.unknown_id,
                    at=row.started_at,
                    payload="{}",
                )
            )
    removed = unknowns.delete(1)
    assert (removed.sightings, removed.crops, removed.events) == (4, 4, 4)
    assert len(crops.crops) == 2
    with database.reading() as session:
        for table in (SightingRow, EventRow):
            assert set(session.scalars(select(table.unknown_id))) == {3}
        assert session.scalars(select(UnknownRow.id)).all() == [3]
        assert session.scalar(select(func.count()).select_from(NegativeRow)) == 0
    for number in (1, 2):
        with pytest.raises(UnknownError, match=f"no Unknown {number}"):
            unknowns.get(number)
    assert see(database, unknowns, track("again", face(0, 7))) == [4]


def test_a_track_that_goes_on_after_its_unknown_was_deleted_gets_a_new_number(
    database: Database, unknowns: Unknowns
) -> None:
    state = track("a", face(1))
    assert see(database, unknowns, state) == [1]
    unknowns.delete(1)
    assert see(database, unknowns, state) == [2]


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_a_number_that_went_into_another_is_not_deleted_by_mistake(
    database: Database, unknowns: Unknowns
) -> None:
    see_strangers(database, unknowns, 2)
    unknowns.merge(2, 1)
    with pytest.raises(UnknownError, match="is Unknown 1 now"):
        unknowns.delete(2)


def test_of_strangers_whose_sightings_are_forgotten_the_face_is_forgotten_too(
    database: Database, unknowns: Unknowns
) -> None:
    see_strangers(database, unknowns, 4)
    unknowns.merge(2, 1)
    with database.writing() as session:
        for number in (1, 3, 4):
            session.execute(delete(SightingRow).where(SightingRow.unknown_id == number))
    see(database, unknowns, track("again", face(3, 7)))
    assert unknowns.forget_unseen(NOON + timedelta(hours=2, minutes=30)) == 2
    with database.reading() as session:
        assert session.scalars(select(UnknownRow.id)).all() == [4]
    assert see(database, unknowns, track("new", face(0, 7))) == [5]
