"""The gallery's database: opening it, bringing its tables up to date, one transaction at a time."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import structlog
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session

from services.errors import GalleryError

log = structlog.get_logger()

_T = TypeVar("_T")

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_S = 15
_CONNECT_TIMEOUT_S = 5
# PostgreSQL's deadlock_detected and serialization_failure: the same work goes through later.
_LATER = ("40P01", "40001")
_TRIES = 4
_MIGRATION_LOCK = 0x66616365  # any number of ours: "face"


def sqlite_url(data_dir: Path) -> str:
    """Address of the database file in the data directory."""
    return URL.create("sqlite", database=str(data_dir / "facestream.db")).render_as_string()


def retried(work: Callable[[], _T]) -> _T:
    """Do work again that the database ended because another transaction was in its way.

    Args:
        work: may be begun anew after each of its transactions.

    Raises:
        DBAPIError: for another reason, or several times.
    """
    for left in reversed(range(_TRIES)):
        try:
            return work()
        except DBAPIError as error:
            if left == 0 or getattr(error.orig, "sqlstate", None) not in _LATER:
                raise
            log.info("a deadlock with another transaction: once more", left=left)
    raise AssertionError("the last try returns or raises")


class Database:
    """An open gallery database, its tables up to date.

    SQLite runs in WAL mode with foreign keys on and takes its write lock when a transaction
    begins. PostgreSQL is reached through psycopg.

    Args:
        address: `sqlite:///FILE` or `postgresql://user:password@host/name`.

    Raises:
        GalleryError: it cannot be reached, opened or brought up to date.
    """

    def __init__(self, address: str) -> None:
        self._url = _parse(address)
        self.shown = self._url.render_as_string(hide_password=True)
        self.engine = _engine(self._url)
        try:
            self._migrate()
        except (DBAPIError, CommandError, OSError) as error:
            self.engine.dispose()
            cause = error.orig if isinstance(error, DBAPIError) else error
            first_line = str(cause).strip().split("\n")[0]
            raise GalleryError(f"DATABASE_URL={self.shown}: {first_line}") from None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session to look things up."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that commits at the end, or rolls back on an error."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            if self._is_sqlite:
                session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
            yield session

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def _migrate(self) -> None:
        with self._alone() as connection:
            config = Config()
            config.set_main_option("script_location", str(_MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """A transaction that no other identifier shares, however many start at once."""
        if self._is_sqlite:
            file = Path(self._url.database or "")
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.with_name(file.name + ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                with self.engine.begin() as connection:
                    yield connection
        else:
            with self.engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _MIGRATION_LOCK})
                yield connection


def _parse(address: str) -> URL:
    try:
        url = make_url(address)
        backend = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        raise GalleryError("DATABASE_URL is no database address: dialect://...") from None
    if backend == "postgres":
        backend = "postgresql"
    if backend not in ("sqlite", "postgresql"):
        raise GalleryError(f"DATABASE_URL: {backend} is not supported; use sqlite or postgresql")
    if backend == "sqlite" and not url.database:
        raise GalleryError("DATABASE_URL: an SQLite gallery needs a file: sqlite:///path/to.db")
    return url.set(drivername="sqlite" if backend == "sqlite" else "postgresql+psycopg")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return create_engine(
            url, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT_TIMEOUT_S}
        )
    except ModuleNotFoundError:
        raise GalleryError(
            "DATABASE_URL: PostgreSQL needs psycopg: pip install 'facestream[postgres]'"
        ) from None


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:
    del record
    # The driver would begin transactions by itself, but only before some statements.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "secure_delete=ON",  # what is erased is overwritten
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {kind}")
