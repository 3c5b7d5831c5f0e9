"""Unknown people as the memory writes them down, and the events that tell of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from identifier.gallery.database import Database
from identifier.gallery.store import GalleryStore
from identifier.memory.events import EventLog
from identifier.memory.media import Media
from identifier.memory.writing import SightingWriter
from identifier.tracks.values import TrackState
from identifier.unknowns.store import Unknowns
from tests.integration.identifier.unknowns.strangers import alice, face, later, track
from tests.integration.identifier.unknowns.test_corrections import enrol


@pytest.fixture
def writer(database: Database, unknowns: Unknowns, tmp_path: Path) -> SightingWriter:
    return SightingWriter(database, Media(str(tmp_path)), unknowns.assign, unknowns.lock)


def told(database: Database) -> list[tuple[str, str | int]]:
    """What happened, to whom."""
    found = [json.loads(payload) for _, payload in EventLog(database).after(0, 100)]
    return [(each["type"], each["unknown"] or each["person"]["name"]) for each in found]


def over(state: TrackState) -> TrackState:
    return replace(later(state, seconds=5), ended=True)


def test_a_stranger_who_is_named_while_there_goes_and_the_person_comes(
    database: Database, unknowns: Unknowns, store: GalleryStore, writer: SightingWriter
) -> None:
    enrol(store, "Alice", 1)
    yesterday, there = track("a", face(2), ended=True), track("b", face(2, 1), camera="yard")
    assert list(writer.write([yesterday]).unknowns.values()) == [1]
    assert list(writer.write([there]).unknowns.values()) == [1]
    assert unknowns.name(1, "Alice").sightings == 2
    writer.write([over(there)])
    assert told(database) == [
        ("unknown_enter", 1),
        ("unknown_exit", 1),
        ("unknown_enter", 1),
        ("unknown_exit", 1),
        ("person_enter", "Alice"),
        ("person_exit", "Alice"),
    ]


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_an_ignored_stranger_makes_no_events(
    database: Database, unknowns: Unknowns, writer: SightingWriter
) -> None:
    there = track("a", face(2))
    writer.write([there])
    unknowns.ignore(1, True)
    writer.write([over(there), track("b", face(2, 1), camera="yard")])
    assert told(database) == [("unknown_enter", 1), ("unknown_exit", 1)]


def test_unknowns_that_become_one_are_told_of_once(
    database: Database, unknowns: Unknowns, writer: SightingWriter
) -> None:
    first, second = track("a", face(1)), track("b", face(2), camera="yard", quality=0.2)
    writer.write([first, second])
    clear = replace(over(second), embedding=face(1, 1))
    clear = replace(clear, best=replace(clear.best, quality=1.0))
    assert writer.write([clear]).unknowns == {second.id: 1}
    assert told(database) == [
        ("unknown_enter", 1),
        ("unknown_enter", 2),
        ("unknown_exit", 2),
        ("unknown_enter", 1),
        ("unknown_exit", 1),
    ]


def test_what_was_said_of_a_track_stays_while_it_goes_on(
    database: Database, unknowns: Unknowns, store: GalleryStore, writer: SightingWriter
) -> None:
    enrol(store, "Alice", 1)
    named = track("a", face(2), decision=alice())
    assert writer.write([named]).unknowns == {named.id: None}
    assert unknowns.not_this_person(named.id).unknown == 1
    assert writer.write([later(named, seconds=1)]).unknowns == {named.id: 1}
    unknowns.this_is(named.id, "Alice")
    writer.write([later(replace(named, decision=None), seconds=2)])
    assert told(database) == [
        ("person_enter", "Alice"),
        ("person_exit", "Alice"),
        ("unknown_enter", 1),
        ("unknown_exit", 1),
        ("person_enter", "Alice"),
    ]


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_a_track_that_gets_its_name_late_leaves_its_number(
    database: Database, unknowns: Unknowns, store: GalleryStore, writer: SightingWriter
) -> None:
    enrol(store, "Alice", 1)
    state = track("a", face(2))
    writer.write([state])
    writer.write([later(replace(state, decision=alice()), seconds=1)])
    assert unknowns.get(1).sightings == 0
    assert unknowns.list().unknowns == ()
