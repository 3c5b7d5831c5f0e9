"""A gallery that is lived with: renamed, merged, searched, followed step by step; on both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select

from identifier.gallery import changed
from identifier.gallery.changes import KEPT_VERSIONS
from identifier.gallery.database import Database
from identifier.gallery.store import GalleryStore
from identifier.gallery.tables import ChangeRow, PersonRow, StateRow
from identifier.gallery.values import PersonChange
from identifier.memory.tables import BackfillRow, NegativeRow, SightingRow, UnknownRow
from identifier.snapshot import Snapshot
from services.errors import RecordError
from services.records import embeddings
from tests.integration.identifier.test_gallery import LARGE, SMALL, embedding, photo

MOMENT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def person_id(database: Database, slug: str) -> int:
    with database.reading() as session:
        return session.scalars(select(PersonRow.id).where(PersonRow.slug == slug)).one()


def sighting(number: int, person: int | None = None, unknown: int | None = None) -> SightingRow:
    """A sighting that ended `number` hours after noon."""
    row = SightingRow(
        id=f"{number:032x}",
        camera="door",
        session="s",
        person_id=person,
        unknown_id=unknown,
        found_by="live",
        started_at=MOMENT,
        last_at=MOMENT + timedelta(hours=number),
        ended=True,
        embedding=embeddings.to_bytes(embedding(number)),
        best_at=MOMENT,
        raw_topic="frames.raw",
        pack="buffalo_s",
        recogniser_sha256=SMALL,
        model_files="[]",
    )
    for name in ("first_seq", "last_seq", "frames", "best_seq", "frame_width", "frame_height"):
        setattr(row, name, 1)
    for name in ("raw_partition", "raw_offset"):
        setattr(row, name, 0)
    for name in ("last_x", "last_y", "last_width", "last_height", "quality", "best_score"):
        setattr(row, name, 0.5)
    row.x = row.y = row.width = row.height = 1.0
    return row


def negative(person: int, seed: int) -> NegativeRow:
    return NegativeRow(
        person_id=person,
        sighting_id=f"{seed:032x}",
        recogniser_sha256=SMALL,
        embedding=embeddings.to_bytes(embedding(seed)),
    )


def named(snapshot: Snapshot, seed: int) -> str | None:
    (match,) = snapshot.matrices[SMALL].match(embedding(seed)[None], [0], 0.33)
    return match.person.name if match.person else None


@pytest.fixture
def database(open_database: Callable[[], Database]) -> Database:
    return open_database()


@pytest.fixture
def gallery(database: Database) -> GalleryStore:
    """Sam with photos 1 and 2, Ann with photo 3."""
    store = GalleryStore(database)
    for name, seed in (("Sam", 1), ("Sam", 2), ("Ann", 3)):
        store.add(name, photo(seed))
    return store


def test_a_person_renamed_keeps_slug_and_photos(gallery: GalleryStore) -> None:
    renamed = gallery.change("sam", PersonChange(name="Samuel  L. "))
    assert renamed is not None
    assert (renamed.slug, renamed.name, len(renamed.photos)) == ("sam", "Samuel L.", 2)
    assert named(gallery.snapshot(), 1) == "Samuel L."
    assert gallery.add("Samuel L.", photo(4)).person.slug == "sam"
    assert gallery.change("nobody", PersonChange(name="X")) is None


@pytest.mark.parametrize("taken", ["Ann", "ANN", "ann"])
def test_a_name_or_slug_of_somebody_else_is_refused(gallery: GalleryStore, taken: str) -> None:
    version = gallery.version()
    with pytest.raises(RecordError, match="another person") as caught:
        gallery.change("sam", PersonChange(name=taken, notes="not kept either"))
    assert caught.value.reason == "name-taken"
    assert gallery.version() == version
    assert gallery.change("ann", PersonChange(name="ANN")) is not None


def test_threshold_and_notes_are_kept_changed_and_taken_back(gallery: GalleryStore) -> None:
    gallery.change("sam", PersonChange(set_threshold=True, threshold=0.9, notes="with glasses"))
    changed_ = gallery.change("sam", PersonChange(name="Sammy"))
    assert changed_ is not None
    assert (changed_.threshold, changed_.notes) == (0.9, "with glasses")
    (match,) = gallery.snapshot().matrices[SMALL].match(embedding(1)[None], [0], 0.33)
    assert match.threshold == np.float32(0.9)
    version = gallery.version()
    gallery.change("sam", PersonChange(notes="with glasses"))
    assert gallery.version() == version
    back = gallery.change("sam", PersonChange(set_threshold=True, notes=""))
    assert back is not None
    assert (back.threshold, back.notes) == (None, "")
    with pytest.raises(RecordError, match="2000"):
        gallery.change("sam", PersonChange(notes="x" * 2_001))


def test_two_people_who_are_one_become_one_with_everything_they_had(
    database: Database, gallery: GalleryStore
) -> None:
    gallery.add("Ann", photo(1, LARGE))  # a photo that Sam has too, read by another pack
    sam, ann = person_id(database, "sam"), person_id(database, "ann")
    with database.writing() as session:
        unknown = UnknownRow(
            recogniser_sha256=SMALL,
            embedding=b"",
            weight=1,
            person_id=sam,
            first_at=MOMENT,
            last_at=MOMENT,
        )
        session.add_all([unknown, sighting(5, sam), sighting(6, ann), sighting(9)])
        session.add_all([negative(sam, 9), negative(ann, 9), negative(sam, 6), negative(sam, 8)])
        session.add(BackfillRow(id="b", person_id=sam, name="Sam", since=MOMENT, state="done"))
    merged = gallery.merge("sam", "ann")
    assert merged is not None
    assert (merged.slug, merged.name) == ("ann", "Ann")
    assert {p.sha256 for p in merged.photos} == {f"{seed:064x}" for seed in (1, 2, 3)}
    assert (merged.sightings, merged.last_seen) == (2, MOMENT + timedelta(hours=6))
    assert gallery.person("sam") is None
    snapshot = gallery.snapshot()
    assert [named(snapshot, seed) for seed in (1, 2, 3)] == ["Ann"] * 3
    with database.reading() as session:
        said = session.execute(select(NegativeRow.person_id, NegativeRow.sighting_id)).all()
        assert sorted(said) == [(ann, f"{seed:032x}") for seed in (8, 9)]
        assert session.scalars(select(UnknownRow.person_id)).one() == ann
        assert session.scalars(select(BackfillRow.person_id)).one() == ann


def test_merging_nobody_or_oneself_changes_nothing(gallery: GalleryStore) -> None:
    version = gallery.version()
    assert gallery.merge("sam", "nobody") is None
    assert gallery.merge("nobody", "sam") is None
    with pytest.raises(RecordError, match="themselves"):
        gallery.merge("sam", "sam")
    assert gallery.version() == version


def test_a_face_said_not_to_be_a_person_is_not_named_so(
    database: Database, gallery: GalleryStore
) -> None:
    assert named(gallery.snapshot(), 1) == "Sam"
    index = gallery.load()
    sam = person_id(database, "sam")
    with database.writing() as session:
        session.add(negative(sam, 1))
        changed(session, sam)
    assert named(gallery.snapshot(), 1) is None
    assert named(gallery.follow(index).snapshot(), 1) is None
    assert named(index.snapshot(), 2) == "Sam"


def test_people_are_listed_page_by_page_and_searched_by_a_part_of_the_name(
    database: Database, gallery: GalleryStore
) -> None:
    with database.writing() as session:
        session.add(sighting(7, person_id(database, "ann")))
    for number in range(5):
        gallery.add(f"100% Péter_{number}", photo(10 + number))
    seen: list[str] = []
    after = ""
    while True:
        page = gallery.page(after=after, limit=3)
        assert len(page.people) <= 3
        seen += [person.name for person in page.people]
        if not (after := page.after):
            break
    assert seen == [f"100% Péter_{n}" for n in range(5)] + ["Ann", "Sam"]
    assert [p.name for p in gallery.page("NN").people] == ["Ann"]
    assert [p.name for p in gallery.page("péTER_3").people] == ["100% Péter_3"]
    assert gallery.page("%_%").people == ()
    (ann,) = gallery.page("ann").people
    assert (ann.photos, ann.sightings) == (1, 1)
    assert ann.last_seen == MOMENT + timedelta(hours=7)


def test_what_was_loaded_follows_every_change_without_loading_everyone(
    database: Database, gallery: GalleryStore
) -> None:
    index = gallery.load()
    follows = []
    added = gallery.add("Bob", photo(4))
    follows.append(gallery.follow(index))
    gallery.change("sam", PersonChange(name="Samuel"))
    gallery.remove_photo("sam", f"{added.photo.id}")  # not Sam's: nothing happens
    gallery.remove_person("ann")
    gallery.add("Cleo", photo(5))
    follows.append(gallery.follow(index))
    assert all(found is index for found in follows)
    snapshot, anew = index.snapshot(), gallery.snapshot()
    assert snapshot.version == anew.version
    assert snapshot.slugs == anew.slugs == {"sam", "bob", "cleo"}
    for seed in range(1, 6):
        assert named(snapshot, seed) == named(anew, seed)
    assert named(snapshot, 1) == "Samuel"
    assert named(snapshot, 3) is None


def test_whoever_is_behind_the_log_of_changes_loads_everyone(
    database: Database, gallery: GalleryStore
) -> None:
    index = gallery.load()
    with database.writing() as session:
        session.query(ChangeRow).delete()
        state = session.get_one(StateRow, 1)
        state.version += KEPT_VERSIONS
    gallery.add("Bob", photo(4))
    followed = gallery.follow(index)
    assert followed is not index
    assert followed.snapshot().slugs == {"sam", "ann", "bob"}


def test_the_log_of_changes_does_not_grow_for_ever(
    database: Database, gallery: GalleryStore
) -> None:
    with database.writing() as session:
        session.get_one(StateRow, 1).version = 20 * KEPT_VERSIONS
    index = gallery.load()
    for _ in range(300):
        with database.writing() as session:
            changed(session, person_id(database, "sam"))
    with database.reading() as session:
        oldest = min(session.scalars(select(ChangeRow.version)))
    assert oldest > 19 * KEPT_VERSIONS
    assert gallery.follow(index) is index


@pytest.mark.parametrize("unsound", [b"\xff" * 2048, b"", b"odd", b"\x00" * 8])
def test_a_change_about_everyone_and_an_unsound_embedding_are_survived(
    database: Database, gallery: GalleryStore, unsound: bytes
) -> None:
    index, other = gallery.load(), gallery.load()
    with database.writing() as session:
        row = session.scalars(select(PersonRow).where(PersonRow.slug == "ann")).one()
        row.photos[0].readings[0].embedding = unsound
        changed(session, row.id)
    assert gallery.follow(other) is other
    with database.writing() as session:
        changed(session)
    followed = gallery.follow(index)
    assert followed is not index
    snapshot = followed.snapshot()
    assert snapshot.references == 2
    assert named(snapshot, 3) is None
    gallery.add("Bob", photo(4))
    for one in (index, other):
        assert named(gallery.follow(one).snapshot(), 4) == "Bob"
    assert named(snapshot, 1) == "Sam"


def test_a_recogniser_that_has_not_read_every_photo_is_not_matched_against(
    gallery: GalleryStore,
) -> None:
    recognisers = gallery.recognisers
    gallery.add("Sam", photo(1, LARGE))
    assert set(gallery.snapshot().matrices) == {SMALL}
    assert not recognisers.complete(LARGE, "buffalo_l")
    unread = recognisers.unread(LARGE, 10)
    assert len(unread) == 2
    recognisers.keep(unread[0], photo(2, LARGE).reading)
    recognisers.keep(unread[0], photo(2, LARGE).reading)
    progress = recognisers.progress(LARGE)
    assert (progress.ready, progress.failed, progress.total, progress.matched) == (2, 0, 3, False)
    recognisers.keep_failure(unread[1], LARGE, "no-face")
    recognisers.keep_failure(unread[1], LARGE, "no-face")
    index = gallery.load()
    assert recognisers.complete(LARGE, "buffalo_l")
    assert set(gallery.follow(index).snapshot().matrices) == {SMALL, LARGE}
    assert recognisers.progress(LARGE).failed == 1
    gallery.add("New", photo(7, SMALL))
    assert set(gallery.snapshot().matrices) == {SMALL, LARGE}
    (late,) = recognisers.unread(LARGE, 10)
    recognisers.keep(late, photo(7, LARGE).reading)
    assert gallery.snapshot().slugs >= {"new"}
    assert named(gallery.snapshot(), 7) == "New"
