"""Benches on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from identifier.gallery.database import Database, sqlite_url
from tests.integration.identifier.history.bench import Bench, a_bench


@pytest.fixture
def bench(
    kafka: str, topic_prefix: str, open_database: Callable[[], Database], tmp_path: Path
) -> Iterator[Bench]:
    """A bench on each kind of database in turn, on a real Kafka."""
    yield from a_bench(kafka, topic_prefix, open_database(), tmp_path)


@pytest.fixture
def sqlite_bench(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Bench]:
    """A bench for what has nothing to do with the kind of database."""
    database = Database(sqlite_url(tmp_path / "gallery"))
    yield from a_bench(kafka, topic_prefix, database, tmp_path)
    database.close()


@pytest.fixture
def postgres_bench(
    kafka: str, topic_prefix: str, new_postgres_database: str, tmp_path: Path
) -> Iterator[Bench]:
    """A bench for what only PostgreSQL does."""
    database = Database(new_postgres_database)
    yield from a_bench(kafka, topic_prefix, database, tmp_path)
    database.close()
