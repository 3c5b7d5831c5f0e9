"""Saying who a sighting shows, and who not; on SQLite and on PostgreSQL."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import select

from identifier.gallery.database import Database
from identifier.gallery.store import GalleryStore
from identifier.gallery.values import NewPhoto, PhotoReading
from identifier.memory.tables import NegativeRow, SightingRow, UnknownRow
from identifier.unknowns.store import Unknowns
from identifier.unknowns.values import UnknownError
from services.records import embeddings
from services.records.embeddings import Embedding
from tests.integration.identifier.unknowns.strangers import (
    RECOGNISER,
    alice,
    face,
    later,
    see,
    track,
)


def enrol(store: GalleryStore, name: str, seed: int) -> int:
    """Someone with one photo; the row's id."""
    reading = PhotoReading("buffalo_s", RECOGNISER, "d" * 64, face(seed), 0.9, 90, (1, 2, 90, 99))
    photo = NewPhoto(name.encode(), f"{seed:064x}", "image/jpeg", (640, 480), reading)
    store.add(name, photo)
    return [person.name for person in store.people()].index(name) + 1


@pytest.fixture
def named(database: Database, unknowns: Unknowns, store: GalleryStore) -> str:
    """A sighting that says Alice."""
    person_id = enrol(store, "Alice", 1)
    state = track("a", face(2), decision=alice())
    assert see(database, unknowns, state, person_id=person_id) == [None]
    return state.id


def test_a_sighting_that_is_not_alice_is_an_unknown_and_the_face_is_remembered(
    database: Database, unknowns: Unknowns, store: GalleryStore, named: str
) -> None:
    version = store.version()
    said = unknowns.not_this_person(named)
    assert (said.sighting, said.slug, said.unknown) == (named, None, 1)
    assert store.version() != version
    with database.reading() as session:
        (negative,) = session.scalars(select(NegativeRow))
        assert negative.sighting_id == named
        assert negative.recogniser_sha256 == RECOGNISER
        assert np.array_equal(embeddings.from_bytes(negative.embedding), face(2))
        row = session.get_one(SightingRow, named)
        assert (row.person_id, row.unknown_id, row.found_by) == (None, 1, "naming")
        assert (row.reference, row.best_similarity) == ("", None)
    assert see(database, unknowns, track("b", face(2, 1))) == [1]


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_a_face_like_the_one_that_was_not_alice_is_not_called_alice_any_more(
    database: Database, unknowns: Unknowns, store: GalleryStore
) -> None:
    person_id = enrol(store, "Alice", 1)
    sister = face(1) + face(2)
    sister /= np.linalg.norm(sister)
    state = track("a", sister, decision=alice())
    see(database, unknowns, state, person_id=person_id)

    def named(embedding: Embedding) -> str | None:
        (match,) = store.snapshot().matrices[RECOGNISER].match(embedding[None], [0], 0.33)
        return None if match.person is None else match.person.slug

    assert [named(sister), named(face(1, 5))] == ["alice", "alice"]
    unknowns.not_this_person(state.id)
    assert [named(sister), named(face(1, 5))] == [None, "alice"]
    unknowns.this_is(state.id, "alice")
    assert named(sister) == "alice"


def test_what_was_said_is_said_once(database: Database, unknowns: Unknowns, named: str) -> None:
    unknowns.not_this_person(named)
    with pytest.raises(UnknownError, match="no name") as caught:
        unknowns.not_this_person(named)
    assert caught.value.reason == "nobody-named"
    with database.reading() as session:
        assert len(session.scalars(select(NegativeRow)).all()) == 1


def test_a_sighting_that_is_alice_after_all_is_no_negative_any_more(
    database: Database, unknowns: Unknowns, store: GalleryStore, named: str
) -> None:
    unknowns.not_this_person(named)
    version = store.version()
    said = unknowns.this_is(named, "Alice")
    assert (said.slug, said.name) == ("alice", "Alice")
    assert store.version() != version
    with database.reading() as session:
        assert session.scalars(select(NegativeRow)).all() == []
        row = session.get_one(SightingRow, named)
        assert row.person_id is not None
        assert row.found_by == "naming"


def test_a_sighting_given_to_another_person_is_a_negative_of_the_first(
    database: Database, unknowns: Unknowns, store: GalleryStore, named: str
) -> None:
    enrol(store, "Bob", 5)
    assert unknowns.this_is(named, "bob").slug == "bob"
    with database.reading() as session:
        (negative,) = session.scalars(select(NegativeRow))
        assert negative.sighting_id == named


def test_an_unknown_whose_only_sighting_gets_a_name_is_that_person(
    database: Database, unknowns: Unknowns, store: GalleryStore
) -> None:
    enrol(store, "Alice", 1)
    state = track("a", face(2))
    see(database, unknowns, state)
    said = unknowns.this_is(state.id, "alice")
    assert (said.slug, said.unknown) == ("alice", 1)
    assert unknowns.get(1).slug == "alice"
    assert see(database, unknowns, track("b", face(2, 1))) == [2]


def test_a_sighting_that_leaves_an_unknown_takes_its_face_with_it(
    database: Database, unknowns: Unknowns, store: GalleryStore
) -> None:
    enrol(store, "Alice", 1)
    stays, leaves = track("a", face(2)), track("b", face(2, 1))
    assert see(database, unknowns, stays, leaves) == [1, 1]
    said = unknowns.this_is(leaves.id, "alice")
    assert (said.slug, said.unknown) == ("alice", None)
    assert unknowns.get(1).sightings == 1
    with database.reading() as session:
        centre = embeddings.from_bytes(session.get_one(UnknownRow, 1).embedding)
    assert float(centre @ stays.embedding) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_a_track_that_goes_on_does_not_change_what_was_said(
    database: Database, unknowns: Unknowns, store: GalleryStore
) -> None:
    enrol(store, "Alice", 1)
    state = track("a", face(2))
    see(database, unknowns, state, track("b", face(2, 1)))
    unknowns.this_is(state.id, "alice")
    with database.writing() as session:
        assert unknowns.assign(session, later(state, seconds=9)) is None


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("sighting", "person", "reason"),
    [("0" * 32, "alice", "no-such-sighting"), (None, "nobody", "no-such-person")],
)
def test_what_is_not_there_cannot_be_corrected(
    unknowns: Unknowns, named: str, sighting: str | None, person: str, reason: str
) -> None:
    with pytest.raises(UnknownError) as caught:
        unknowns.this_is(sighting or named, person)
    assert caught.value.reason == reason
