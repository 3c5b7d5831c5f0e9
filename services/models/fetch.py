"""Bring one file from one place: out of a wheel, a source distribution, a zip, or as it is."""

from __future__ import annotations

import http.client
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from services.models.packs import Place

CONNECT_TIMEOUT_S = 5.0
"""A closed network must cost seconds, not minutes, before the next place is tried."""

PIP_TIMEOUT_S = 900.0
MAX_ARCHIVE_BYTES = 1_000_000_000

_CHUNK_BYTES = 1 << 18

log = structlog.get_logger()


class FetchError(Exception):
    """A place did not give the file; the text is the reason, short."""


class Fetcher:
    """Downloads each archive once, however many files are read from it.

    Args:
        folder: existing directory for archives; the caller removes it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._archives: dict[str, Path | FetchError] = {}

    def fetch(self, place: Place, target: Path) -> None:
        """Write the file of `place` to `target`, unverified.

        Raises:
            FetchError: it is not to be had there.
        """
        archive = self._archive(place)
        if place.member is None:
            shutil.copyfile(archive, target)
            return
        extract = _from_tar if place.sdist_sha256 is not None else _from_zip
        try:
            extract(archive, place.member, target)
        except KeyError:
            raise FetchError(f"{place.member} is not in it") from None
        except (zipfile.BadZipFile, tarfile.TarError, OSError) as error:
            raise FetchError(str(error)) from error

    def _archive(self, place: Place) -> Path:
        key = place.archive
        if key not in self._archives:
            try:
                self._archives[key] = self._download(place)
            except FetchError as error:
                self._archives[key] = error
        got = self._archives[key]
        if isinstance(got, FetchError):
            raise got
        return got

    def _download(self, place: Place) -> Path:
        target = self._folder / str(len(self._archives))
        log.info("downloading", source=place.archive)
        with _progress(place.archive) as report:
            if place.pypi is not None:
                return _pip_download(place.pypi, place.sdist_sha256, target, report)
            _http_download(str(place.url), target, report)
            return target


Report = Callable[[int, int | None], None]
"""Bytes so far, bytes in all when known."""


def _from_zip(archive: Path, member: str, target: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        info = opened.getinfo(member)
        _check_size(member, info.file_size)
        with opened.open(info) as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink, _CHUNK_BYTES)


def _from_tar(archive: Path, member: str, target: Path) -> None:
    with tarfile.open(archive) as opened:
        info = opened.getmember(member)
        _check_size(member, info.size)
        source = opened.extractfile(info) if info.isfile() else None
        if source is None:
            raise FetchError(f"{member} is not a file")
        with source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink, _CHUNK_BYTES)


def _check_size(member: str, size_bytes: int) -> None:
    if size_bytes > MAX_ARCHIVE_BYTES:
        raise FetchError(f"{member} is {size_bytes} bytes")


def _pip_download(requirement: str, sdist_sha256: str | None, folder: Path, report: Report) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise FetchError("pip is not installed in this environment")
    folder.mkdir()
    if sdist_sha256 is None:
        what = ["--only-binary", ":all:", requirement]
    else:
        # Given so, pip compares the hash before it runs anything of the archive.
        pinned = folder / "requirement.txt"
        pinned.write_text(f"{requirement} --hash=sha256:{sdist_sha256}\n", encoding="utf-8")
        what = ["--no-binary", requirement.partition("==")[0], "--requirement", str(pinned)]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"),
        *("--disable-pip-version-check", "--dest", str(folder), *what),
    ]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, arguments from the registry
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        for _ in range(int(PIP_TIMEOUT_S / 0.2)):
            try:
                _, errors = process.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                report(0, None)
        else:
            raise FetchError(f"pip took more than {PIP_TIMEOUT_S:.0f} s")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    archives = list(folder.glob("*.whl" if sdist_sha256 is None else "*.tar.gz"))
    if process.returncode or len(archives) != 1:
        lines = [line for line in errors.splitlines() if line.startswith("ERROR")]
        raise FetchError(lines[-1] if lines else f"pip exited with {process.returncode}")
    return archives[0]


def _http_download(url: str, target: Path, report: Report) -> None:
    try:
        # The registry's pattern allows http and https alone, and every file is verified.
        with (
            urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT_S) as response,  # noqa: S310
            target.open("wb") as sink,
        ):
            length = response.headers.get("Content-Length")
            total = int(length) if length else None
            done = 0
            while chunk := response.read(_CHUNK_BYTES):
                done += len(chunk)
                if done > MAX_ARCHIVE_BYTES:
                    raise FetchError(f"more than {MAX_ARCHIVE_BYTES} bytes")
                sink.write(chunk)
                report(done, total)
        if total is not None and done != total:
            raise FetchError(f"ended after {done} of {total} bytes")
    except urllib.error.HTTPError as error:
        error.close()  # it holds the connection
        raise FetchError(f"HTTP {error.code}") from error
    except urllib.error.URLError as error:
        raise FetchError(f"{error.reason}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FetchError(str(error) or type(error).__name__) from error


def _silent(_done: int, _total: int | None) -> None:
    """The progress report where nobody watches."""


@contextmanager
def _progress(source: str) -> Iterator[Report]:
    """A progress bar on a terminal; silence elsewhere."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(source.rsplit("/", 1)[-1], total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
