"""Strangers keep their number, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from identifier.gallery.database import Database
from identifier.memory.tables import SightingRow, UnknownRow
from identifier.people import People
from identifier.unknowns.clusters import MAX_WEIGHT
from identifier.unknowns.store import Unknowns
from tests.integration.identifier.unknowns.conftest import make_unknowns
from tests.integration.identifier.unknowns.strangers import (
    NOON,
    CropsInMemory,
    alice,
    face,
    later,
    see,
    track,
    write,
)


def test_the_same_stranger_on_another_day_and_camera_keeps_the_number(
    database: Database, unknowns: Unknowns
) -> None:
    tomorrow = NOON + timedelta(days=1)
    assert see(database, unknowns, track("a", face(1))) == [1]
    assert see(database, unknowns, track("b", face(2))) == [2]
    assert see(database, unknowns, track("c", face(1, 1), camera="yard", at=tomorrow)) == [1]
    shown = unknowns.get(1)
    assert (shown.sightings, shown.cameras) == (2, ("door", "yard"))
    assert (shown.first_at, shown.last_at) == (NOON, tomorrow + timedelta(seconds=3))


def test_the_number_outlives_the_process(
    database: Database, unknowns: Unknowns, crops: CropsInMemory, people: People
) -> None:
    see(database, unknowns, track("a", face(1)), track("b", face(2)))
    another = make_unknowns(database, crops, people)
    assert see(database, another, track("c", face(2, 1)), track("d", face(3))) == [2, 3]
    assert see(database, unknowns, track("e", face(3, 1))) == [3]


def test_a_track_that_is_read_again_keeps_its_number_and_counts_once(
    database: Database, unknowns: Unknowns
) -> None:
    first = track("a", face(1))
    assert see(database, unknowns, first) == [1]
    weight = _weight(database, 1)
    again = later(replace(first, embedding=face(7)), seconds=60)
    assert see(database, unknowns, again, again) == [1, 1]
    assert _weight(database, 1) == weight
    assert unknowns.get(1).last_at == again.last_at


def test_a_track_counts_once_more_when_it_ends_and_unknowns_become_one_by_that(
    database: Database, unknowns: Unknowns
) -> None:
    see(database, unknowns, track("a", face(1)))
    blurred = track("b", face(2), quality=0.2)
    assert see(database, unknowns, blurred) == [2]
    clear = replace(blurred, embedding=face(1, 1), best=replace(blurred.best, quality=1.0))
    ended = later(replace(clear, ended=True), seconds=5)
    assert see(database, unknowns, ended) == [1]
    weight = _weight(database, 1)
    assert see(database, unknowns, ended) == [1]
    assert _weight(database, 1) == weight
    assert unknowns.get(2).number == 1
    assert unknowns.get(1).sightings == 2


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
@pytest.mark.parametrize("change", [{"confirmed": False}, {"decision": alice()}])
def test_named_and_unconfirmed_tracks_get_no_number(
    database: Database, unknowns: Unknowns, change: dict[str, object]
) -> None:
    with database.writing() as session:
        state = replace(track("a", face(1)), **change)  # type: ignore[arg-type]
        assert unknowns.assign(session, state) is None
    assert unknowns.list().unknowns == ()


def test_faces_of_another_recogniser_are_other_strangers(
    database: Database, unknowns: Unknowns
) -> None:
    states = [track(name, face(1), recogniser=name * 64) for name in ("a", "b", "a")]
    numbers = [
        see(database, unknowns, replace(state, id=f"{at:032x}")) for at, state in enumerate(states)
    ]
    assert numbers == [[1], [2], [1]]


def test_a_centre_gains_no_more_weight_than_it_may(database: Database, unknowns: Unknowns) -> None:
    states = [track(str(seed), face(1, seed), quality=1.0) for seed in range(70)]
    assert set(see(database, unknowns, *states)) == {1}
    assert _weight(database, 1) == MAX_WEIGHT


def test_what_was_not_committed_gave_no_number(database: Database, unknowns: Unknowns) -> None:
    see(database, unknowns, track("a", face(1)))

    def interrupted() -> None:
        with database.writing() as session:
            write(session, unknowns, track("b", face(2)))
            write(session, unknowns, track("c", face(1, 1)))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        interrupted()
    (number,) = see(database, unknowns, track("d", face(3)))
    assert see(database, unknowns, track("e", face(2, 1))) != [number]
    assert see(database, unknowns, track("f", face(3, 1))) == [number]
    assert unknowns.get(1).sightings == 1


def test_several_identifiers_at_once_make_one_number_for_one_stranger(
    open_database: Callable[[], Database], crops: CropsInMemory, people: People
) -> None:
    databases = [open_database() for _ in range(4)]
    stores = [make_unknowns(database, crops, people) for database in databases]
    barrier = threading.Barrier(len(stores))

    def watch(index: int) -> list[tuple[int, int | None]]:
        barrier.wait(20)
        numbers = []
        for stranger in range(6):
            state = track(f"{index} {stranger}", face(stranger, index), camera=f"camera {index}")
            (number,) = see(databases[index], stores[index], state)
            numbers.append((stranger, number))
        return numbers

    with ThreadPoolExecutor(len(stores)) as pool:
        pairs = {pair for found in pool.map(watch, range(len(stores))) for pair in found}
    assert len(pairs) == 6
    assert {number for _, number in pairs} == set(range(1, 7))


def test_a_number_merged_by_one_identifier_is_not_given_by_another(
    open_database: Callable[[], Database],
    database: Database,
    unknowns: Unknowns,
    crops: CropsInMemory,
    people: People,
) -> None:
    see(database, unknowns, track("a", face(1)), track("b", face(2)))
    elsewhere = open_database()
    another = make_unknowns(elsewhere, crops, people)
    assert see(elsewhere, another, track("c", face(2, 1))) == [2]
    unknowns.merge(2, 1)
    assert see(elsewhere, another, track("d", face(1, 2))) == [1]
    (number,) = see(elsewhere, another, track("e", face(2, 2)))
    assert number != 2


def test_one_transaction_numbers_many_tracks(database: Database, unknowns: Unknowns) -> None:
    states = [track(f"{of} {seed}", face(of, seed)) for seed in range(3) for of in range(20)]
    assert see(database, unknowns, *states) == list(range(1, 21)) * 3
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(UnknownRow)) == 20
        assert session.scalar(select(func.count()).select_from(SightingRow)) == 60


def _weight(database: Database, number: int) -> float:
    with database.reading() as session:
        return session.get_one(UnknownRow, number).weight
