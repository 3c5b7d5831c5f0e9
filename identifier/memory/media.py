"""Face crops in files, on disk or in S3-compatible storage, under keys nobody can guess."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import structlog
from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from services.errors import SettingsError

log = structlog.get_logger()

_KEY = re.compile(r"\d{4}/\d{2}/\d{2}/[A-Za-z0-9_-]{32}\.jpg")
_DAY = re.compile(r"\d{4}/\d{2}/\d{2}$")


class Media:
    """Files by key: `2026/01/31/<32 random letters>.jpg`; the date is the day of writing.

    Safe to be used from any thread. Every method but the constructor may raise `OSError` when the
    storage is away.

    Args:
        url: a directory, or any address fsspec knows: `s3://bucket/folder`, `memory://crops`.

    Raises:
        SettingsError: no such kind of storage, or what it needs is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            self._fs, self._root = _open(url)
        except ImportError as error:
            hint = " (pip install 'facestream[s3]')" if url.startswith("s3:") else ""
            raise SettingsError(f"MEDIA_URL: {error}{hint}") from None
        except (ValueError, OSError) as error:
            raise SettingsError(f"MEDIA_URL: {error}") from None

    def put(self, key: str | None, jpeg: bytes) -> str:
        """Keep a file under its key, or under a new one; gives the key."""
        key = new_key() if key is None else _checked(key)
        path = self._path(key)
        if isinstance(self._fs, LocalFileSystem):
            _write_whole(Path(path), jpeg)
        else:
            with _away_is_oserror():
                self._fs.pipe_file(path, jpeg)  # an object is there whole or not at all
        return key

    def get(self, key: str) -> bytes | None:
        """A file; None where there is none."""
        try:
            path = self._path(_checked(key))
            with _away_is_oserror():
                return bytes(self._fs.cat_file(path))
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        """Forget a file; one that is not there is no error."""
        path = self._path(_checked(key))
        with suppress(FileNotFoundError), _away_is_oserror():
            self._fs.rm_file(path)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Forget files."""
        for key in keys:
            if key:
                self.delete(key)

    def keys_before(self, day: date) -> Iterator[list[str]]:
        """The keys of every file that was written before a day, one day at a time."""
        for folder in self._days():
            if folder < f"{day:%Y/%m/%d}":
                names = self._names(folder)
                yield [key for name in names if _KEY.fullmatch(key := f"{folder}/{name}")]

    def sweep(self, before: date) -> int:
        """Forget every file that was written before a day; how many days that was."""
        gone = 0
        for folder in self._days():
            if folder < f"{before:%Y/%m/%d}":
                with suppress(FileNotFoundError), _away_is_oserror():
                    self._fs.rm(self._path(folder), recursive=True)
                    gone += 1
        return gone

    def _days(self) -> list[str]:
        folders = [""]
        for _ in range(3):
            found: list[str] = []
            for folder in folders:
                found += [f"{folder}/{name}" for name in self._names(folder)]
            folders = [each.lstrip("/") for each in found]
        return sorted(folder for folder in folders if _DAY.match(folder))

    def _names(self, folder: str) -> list[str]:
        try:
            with _away_is_oserror():
                paths = self._fs.ls(self._path(folder), detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return [str(path).rstrip("/").rsplit("/", 1)[-1] for path in paths]

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}".rstrip("/")


def new_key(at: datetime | None = None) -> str:
    """A key of today that nobody can guess."""
    return f"{at or datetime.now(UTC):%Y/%m/%d}/{secrets.token_urlsafe(24)}.jpg"


def first_key_of(day: date) -> str:
    """What every key of that day or later sorts behind."""
    return f"{day:%Y/%m/%d}/"


def days_ago(days: float) -> datetime:
    """This time, so many days ago, UTC."""
    return datetime.now(UTC) - timedelta(days=days)


def _open(url: str) -> tuple[AbstractFileSystem, str]:
    filesystem, root = url_to_fs(url)
    if isinstance(filesystem, LocalFileSystem):
        Path(root).mkdir(parents=True, exist_ok=True)
        Path(root).chmod(0o700)
    return filesystem, str(root).rstrip("/")


@contextmanager
def _away_is_oserror() -> Iterator[None]:
    """Every client library has errors of its own; their words may have the key, ours have not."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"the storage of crops is away: {type(error).__name__}") from error


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError("no key of a crop")
    return key


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        scratch.write_bytes(data)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
