"""The gallery, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from identifier.gallery import tables
from identifier.gallery.database import Database, sqlite_url
from identifier.gallery.store import GalleryStore
from identifier.gallery.tables import Base
from identifier.gallery.values import NewPhoto, PhotoReading
from identifier.gallery.watcher import GalleryWatcher
from identifier.snapshot import Snapshot
from services.errors import GalleryError, RecordError
from services.lifecycle.health import Health
from services.records.embeddings import Embedding
from tests.waiting import eventually

SMALL, LARGE = "a" * 64, "b" * 64
MIGRATIONS = Path(tables.__file__).parent / "migrations"


def embedding(seed: int) -> Embedding:
    vector = np.random.default_rng(seed).normal(size=512)
    unit: Embedding = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


def photo(seed: int, recogniser: str = SMALL, **origin: str) -> NewPhoto:
    return NewPhoto(
        data=f"photo {seed}".encode(),
        sha256=f"{seed:064x}",
        media_type="image/jpeg",
        size_px=(640, 480),
        reading=PhotoReading(
            pack="buffalo_s",
            recogniser_sha256=recogniser,
            detector_sha256="d" * 64,
            embedding=embedding(seed),
            score=0.9,
            sharpness=120.0,
            box_px=(1, 2, 100, 120),
        ),
        **origin,
    )


def test_an_enrolled_person_is_matched_and_every_change_is_a_new_version(
    store: GalleryStore,
) -> None:
    versions = [store.version()]
    assert store.snapshot().references == 0

    enrolled = store.add("José Ñandú", photo(1))
    versions.append(store.version())
    assert (enrolled.person.slug, enrolled.person.name) == ("jose-nandu", "José Ñandú")
    snapshot = store.snapshot()
    assert snapshot.slugs == {"jose-nandu"}
    (match,) = snapshot.matrices[SMALL].match(embedding(1)[None], [0], 0.33)
    assert match.person is not None
    assert match.person.name == "José Ñandú"
    assert match.photo_id == enrolled.photo.id
    assert snapshot.version == store.version()

    store.add("José Ñandú", photo(2))
    versions.append(store.version())
    assert store.remove_photo("jose-nandu", enrolled.photo.id)
    versions.append(store.version())
    assert store.snapshot().references == 1
    assert store.remove_person("jose-nandu")
    versions.append(store.version())
    assert store.snapshot().references == 0
    assert store.people() == []
    assert len(set(versions)) == len(versions)


def test_what_is_kept_of_a_photo_comes_back(store: GalleryStore) -> None:
    store.add("Sam", photo(1, folder="/people", path="Sam/1.jpg"))
    person = store.person("sam")
    assert person is not None
    (kept,) = person.photos
    assert [kept.sha256, *kept.size_px, kept.path] == [f"{1:064x}", 640, 480, "Sam/1.jpg"]
    assert kept.created_at.utcoffset() is not None
    assert kept.reading is not None
    assert list(kept.reading.box_px) == [1, 2, 100, 120]
    assert np.array_equal(kept.reading.embedding, embedding(1))
    (listed,) = store.people()
    assert (listed.slug, listed.photos, listed.created_at) == ("sam", 1, person.created_at)


def test_the_same_photo_twice_is_one_photo(store: GalleryStore) -> None:
    first = store.add("Sam", photo(1))
    version = store.version()
    again = store.add("sam", photo(1))
    assert [first.added, again.added] == [True, False]
    assert again.photo.id == first.photo.id
    assert store.version() == version
    assert store.find_photo("SAM", f"{1:064x}", SMALL) is not None
    assert store.find_photo("SAM", f"{1:064x}", LARGE) is None


def test_another_model_reads_the_same_photo_and_matches_its_own_faces_only(
    store: GalleryStore,
) -> None:
    store.add("Sam", photo(1, SMALL))
    again = store.add("Sam", photo(1, LARGE))
    assert not again.added
    assert set(store.snapshot().matrices) == {SMALL, LARGE}
    assert len(store.people()) == 1


def test_names_that_give_one_slug_are_two_people_and_a_slug_finds_its_person(
    store: GalleryStore,
) -> None:
    assert store.add("Jose", photo(1)).person.slug == "jose"
    assert store.add("José", photo(2)).person.slug == "jose-2"
    assert store.add("jose-2", photo(3)).person.name == "José"
    assert store.add("JOSÉ", photo(4)).person.slug == "jose-2"


def test_a_bad_name_is_refused(store: GalleryStore) -> None:
    with pytest.raises(RecordError, match="a name has"):
        store.add(" ", photo(1))


def test_removing_what_is_not_there_says_so(store: GalleryStore) -> None:
    version = store.version()
    assert not store.remove_person("nobody")
    assert not store.remove_photo("nobody", "0" * 32)
    assert store.person("nobody") is None
    assert store.version() == version


def test_photos_of_a_folder_go_with_their_files_and_uploads_stay(store: GalleryStore) -> None:
    store.add("Sam", photo(1, folder="/people", path="Sam/1.jpg"))
    store.add("Sam", photo(2))
    store.add("Ann", photo(3, folder="/people", path="Ann.jpg"))
    found = store.folder_photos("/people")
    assert {(p.slug, p.path) for p in found} == {("sam", "Sam/1.jpg"), ("ann", "Ann.jpg")}
    store.remove_folder_photos([p.id for p in found])
    assert [(p.slug, p.photos) for p in store.people()] == [("sam", 1)]


def test_many_enrolling_at_once_lose_nothing_and_double_nobody(
    open_database: Callable[[], Database],
) -> None:
    stores = [GalleryStore(open_database()) for _ in range(4)]
    barrier = threading.Barrier(len(stores))

    def enrol(index: int) -> None:
        barrier.wait(60)
        for seed in range(5):
            stores[index].add("Sam", photo(seed))
            stores[index].add(f"person {index}", photo(100 * (index + 1) + seed))

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(enrol, range(len(stores))))
    people = {person.slug: person.photos for person in stores[0].people()}
    assert people == {"sam": 5} | {f"person-{index}": 5 for index in range(4)}


def test_many_starting_at_once_make_the_tables_once(database_address: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        databases = list(pool.map(Database, [database_address] * 4))
    assert len({GalleryStore(database).version() for database in databases}) == 1
    for database in databases:
        database.close()


def test_the_migrations_make_the_tables_the_code_knows(
    open_database: Callable[[], Database],
) -> None:
    with open_database().engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_gallery_of_an_older_version_goes_on_being_matched(
    open_database: Callable[[], Database],
) -> None:
    database = open_database()
    GalleryStore(database).add("Sam", photo(1))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
    store = GalleryStore(open_database())
    assert store.snapshot().slugs == {"sam"}
    assert set(store.snapshot().matrices) == {SMALL}
    person = store.person("sam")
    assert person is not None
    assert person.notes == ""
    assert person.photos[0].reading is not None
    assert person.photos[0].reading.pose_deg is None


def test_a_change_by_one_identifier_reaches_another_within_a_second(
    open_database: Callable[[], Database],
) -> None:
    one, other = GalleryStore(open_database()), GalleryStore(open_database())
    seen: list[Snapshot] = []
    watcher = GalleryWatcher(other, Health(), seen.append)
    watcher.start()
    try:
        one.add("Sam", photo(1))
        eventually(lambda: watcher.snapshot.slugs == {"sam"}, 1.0, "the change is seen")
        assert seen[-1].slugs == {"sam"}
    finally:
        watcher.stop()


def test_while_the_database_is_away_the_last_snapshot_is_matched_and_health_says_so(
    tmp_path: Path,
) -> None:
    database = Database(sqlite_url(tmp_path))
    store = GalleryStore(database)
    store.add("Sam", photo(1))
    health = Health("database")
    watcher = GalleryWatcher(store, health)
    assert health.is_ready
    watcher.start()
    try:
        with database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE gallery_state RENAME TO elsewhere")
        eventually(lambda: not health.is_ready, 60, "health says that the database is away")
        assert watcher.snapshot.slugs == {"sam"}
        with database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO gallery_state")
        eventually(lambda: health.is_ready, 60, "health says that the database is back")
    finally:
        watcher.stop()
        database.close()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("nonsense", "no database address"),
        ("mysql://u:secret@h/db", "not supported"),
        ("sqlite://", "needs a file"),
        ("postgresql://u:secret@127.0.0.1:1/db", "postgresql"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line_without_the_password(
    address: str, says: str
) -> None:
    with pytest.raises(GalleryError, match=says) as caught:
        Database(address)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "facestream.db"
    file.write_bytes(b"this is no database, but long enough to look at" * 100)
    with pytest.raises(GalleryError, match="not a database"):
        Database(sqlite_url(tmp_path))
