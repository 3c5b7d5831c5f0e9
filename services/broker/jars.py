"""Apache Kafka's jars: resolved once by coordinates, verified, kept in the cache directory."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from services.broker.maven import download_with_jgo, download_with_maven
from services.errors import BrokerError
from services.locks import only_one

KAFKA_VERSION = "4.3.1"

Progress = Callable[[int, int], None]
"""Told `(bytes_done, bytes_total)` after every jar."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked jar.

    Attributes:
        coordinate: `group:artifact:version`.
        sha256: hex digest of the file.
        size_bytes: its length.
    """

    coordinate: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self) -> str:
        """`artifact-version.jar`."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def locked_jars() -> tuple[Jar, ...]:
    """Everything on the broker's class path, as `kafka.lock` has it."""
    text = resources.files("services.broker").joinpath("kafka.lock").read_text(encoding="utf-8")
    rows = (line.split() for line in text.splitlines())
    return tuple(Jar(coordinate, sha256, int(size)) for sha256, size, coordinate in rows)


def download_size_bytes() -> int:
    """What an empty cache costs on the network."""
    return sum(jar.size_bytes for jar in locked_jars())


def default_cache_dir() -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/facestream`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "facestream"


def ensure_jars(cache_dir: Path, progress: Progress | None = None) -> tuple[Path, ...]:
    """The jars of the class path, downloaded when this cache has not got them yet.

    Processes that start together download once: the others wait for the first.

    Args:
        cache_dir: the jars land in `kafka/<version>` below it, all or none.
        progress: told how far a download is.

    Raises:
        BrokerError: they cannot be had, or are not the files that were locked.
    """
    jars = locked_jars()
    home = cache_dir / "kafka" / KAFKA_VERSION
    if not _complete(home, jars):
        try:
            home.parent.mkdir(parents=True, exist_ok=True)
            with only_one(home.parent / ".lock", "fetches Kafka"):
                if not _complete(home, jars):
                    _fetch(home, jars, progress)
        except OSError as error:
            raise BrokerError(
                f"Apache Kafka's jars cannot be kept in {home}: {error.strerror or error}"
            ) from None
    return tuple(home / jar.file_name for jar in jars)


def is_complete(cache_dir: Path) -> bool:
    """Whether every jar is in this cache, so that nothing would be downloaded."""
    return _complete(cache_dir / "kafka" / KAFKA_VERSION, locked_jars())


def _complete(home: Path, jars: tuple[Jar, ...]) -> bool:
    try:
        return all((home / jar.file_name).stat().st_size == jar.size_bytes for jar in jars)
    except OSError:
        return False


def _fetch(home: Path, jars: tuple[Jar, ...], progress: Progress | None) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".partial-") as name:
        staging = Path(name)
        landed = staging / "jars"
        landed.mkdir()
        try:
            _fetch_with_jgo(staging / "repository", landed, jars, progress)
        except BrokerError:
            # Maven knows mirrors and proxies (its settings.xml) that jgo does not.
            if not download_with_maven([jar.coordinate for jar in jars], landed):
                raise
        for jar in jars:
            _verify(landed / jar.file_name, jar)
        if home.exists():
            shutil.rmtree(home)
        landed.rename(home)


def _fetch_with_jgo(
    repository: Path, landed: Path, jars: tuple[Jar, ...], progress: Progress | None
) -> None:
    total = download_size_bytes()
    done = 0
    pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="jars")
    try:
        fetched = pool.map(lambda jar: download_with_jgo(jar.coordinate, repository), jars)
        for jar, path in zip(jars, fetched, strict=True):
            _verify(path, jar)
            path.rename(landed / jar.file_name)
            done += jar.size_bytes
            if progress is not None:
                progress(done, total)
    finally:
        pool.shutdown(cancel_futures=True)  # one that fails is enough: do not try the rest


def _verify(path: Path, jar: Jar) -> None:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BrokerError(f"{jar.coordinate}: {error.strerror}") from None
    if digest != jar.sha256:
        raise BrokerError(
            f"{jar.coordinate} is not the file it should be: SHA-256 {digest}, not {jar.sha256}"
        )
