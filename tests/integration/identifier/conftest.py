"""Galleries on both databases, and the real models."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from identifier.enrolment import Enroller, EnrolmentLimits
from identifier.gallery.database import Database, sqlite_url
from identifier.gallery.store import GalleryStore
from identifier.gallery.watcher import GalleryWatcher
from identifier.people import People
from services.lifecycle.health import Health
from services.models.analysis import FaceAnalyser
from tests.conftest import require_or_skip
from tests.postgres import find_binaries, running_postgres

LIMITS = EnrolmentLimits(min_face_px=40, min_score=0.5, max_bytes=20_971_520, max_pixels=64_000_000)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a PostgreSQL cluster."""
    binaries = find_binaries()
    require_or_skip(binaries is not None, "PostgreSQL is not installed: apt install postgresql")
    assert binaries is not None
    with running_postgres(binaries) as address:
        yield address


@pytest.fixture
def new_postgres_database(postgres: str) -> str:
    """Address of an empty PostgreSQL database."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{postgres}/{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database of each kind in turn."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "gallery")
    address: str = request.getfixturevalue("new_postgres_database")
    return address


@pytest.fixture
def open_database(database_address: str) -> Iterator[Callable[[], Database]]:
    """Opens the same database again and again, as several identifiers would."""
    opened: list[Database] = []

    def open_one() -> Database:
        opened.append(Database(database_address))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


@pytest.fixture
def store(open_database: Callable[[], Database]) -> GalleryStore:
    """An empty gallery on each kind of database in turn."""
    return GalleryStore(open_database())


@pytest.fixture(scope="session")
def analyser() -> FaceAnalyser:
    """The default model pack."""
    return FaceAnalyser.load("buffalo_s", "cpu")


@pytest.fixture
def enroller(analyser: FaceAnalyser) -> Enroller:
    """Reads photos with the default limits."""
    return Enroller(lambda: analyser, LIMITS)


@pytest.fixture
def sqlite_people(tmp_path: Path, enroller: Enroller) -> Iterator[People]:
    """An empty SQLite gallery, watched, that people can be enrolled in."""
    database = Database(sqlite_url(tmp_path / "gallery"))
    store = GalleryStore(database)
    watcher = GalleryWatcher(store, Health())
    yield People(store, watcher, enroller)
    database.close()
