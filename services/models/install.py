"""Install a model pack: find or download, verify, rewrite, land atomically, once per machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from services.errors import ModelError
from services.locks import only_one
from services.models.digests import sha256_of
from services.models.fetch import Fetcher, FetchError
from services.models.packs import ROLES, Pack, PackFile, Place, Role, get_pack
from services.models.rewrite import best_form, rewrite_recogniser

MANIFEST = "manifest.json"
_FORMAT = 2  # raised when a rewrite changes, so that packs are prepared anew
_SCRATCH = ".pull-"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file as published: what provenance records (`sha256` is hex)."""

    role: Role
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """A verified model file on this machine.

    Attributes:
        published: what it is called upstream, and its digest.
        path: the file as published.
        fast_path: the same network rewritten for ONNX Runtime on a CPU, or `path`.
    """

    published: ModelFile
    path: Path
    fast_path: Path


@dataclass(frozen=True, slots=True)
class InstalledPack:
    """A pack whose files are here and verified."""

    pack: Pack
    detector: InstalledFile
    recogniser: InstalledFile

    @property
    def model_files(self) -> tuple[ModelFile, ...]:
        """The published files, for provenance."""
        return (self.detector.published, self.recogniser.published)


@dataclass(frozen=True, slots=True)
class FileCheck:
    """What `verify_pack` found out about one file."""

    role: Role
    name: str
    state: Literal["ok", "missing", "corrupt"]
    detail: str


class _ManifestFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    name: str
    sha256: str
    fast_name: str
    fast_sha256: str


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    pack: str
    licence: str
    files: tuple[_ManifestFile, ...]


class _NotInstalledError(Exception):
    """The pack is not here, or not whole; the text says what is wrong."""


def default_models_dir() -> Path:
    """Where packs are kept unless told otherwise: `$XDG_CACHE_HOME/facestream/models`."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "facestream" / "models"


def ensure_pack(
    pack: str | Pack, models_dir: Path | None = None, models_path: Sequence[Path] = ()
) -> InstalledPack:
    """The pack's files on this machine, downloaded on the first call.

    Several processes may call this at once: one pulls, the others wait for it. Every call checks
    the digests.

    Args:
        pack: a name in the registry, or an entry of another registry.
        models_dir: where packs are kept; the user's cache when None.
        models_path: directories that may hold the files (or `<pack>/` with them) already.

    Raises:
        ModelError: unknown pack, no place has a file with the right digest, or no room for it.
    """
    pack = get_pack(pack) if isinstance(pack, str) else pack
    folder = (models_dir or default_models_dir()) / pack.name
    try:
        return _read(pack, folder)
    except _NotInstalledError as reason:
        log.debug("model pack not installed", pack=pack.name, reason=str(reason))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(folder / ".lock", "installs the model pack"):
            try:
                return _read(pack, folder)
            except _NotInstalledError:
                _install(pack, folder, models_path)
                return _read(pack, folder)
    except _NotInstalledError as reason:
        raise ModelError(f"{pack.name}: {reason}, right after it was installed") from reason
    except OSError as error:
        raise ModelError(
            f"cannot install {pack.name} in {folder}: {error.strerror or error};"
            " set MODELS_DIR to a directory that can be written"
        ) from error


def verify_pack(pack: str | Pack, models_dir: Path | None = None) -> list[FileCheck]:
    """Check every installed file of a pack against its digest; downloads and changes nothing.

    Raises:
        ModelError: unknown pack.
    """
    pack = get_pack(pack) if isinstance(pack, str) else pack
    folder = (models_dir or default_models_dir()) / pack.name
    manifest = _manifest(folder)
    checks = []
    for role in ROLES:
        entry = (
            next((file for file in manifest.files if file.role == role), None) if manifest else None
        )
        if entry is None:
            checks.append(FileCheck(role, pack.choices(role)[0].name, "missing", "not installed"))
            continue
        for name, digest in {entry.name: entry.sha256, entry.fast_name: entry.fast_sha256}.items():
            checks.append(_check(role, folder / name, digest))
    return checks


def _check(role: Role, path: Path, digest: str) -> FileCheck:
    if not path.is_file():
        return FileCheck(role, path.name, "missing", "the file is gone")
    found = sha256_of(path)
    if found != digest:
        return FileCheck(role, path.name, "corrupt", f"sha256 {found}, not {digest}")
    return FileCheck(role, path.name, "ok", f"sha256 {found}")


def _manifest(folder: Path) -> _Manifest | None:
    try:
        return _Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None


def _read(pack: Pack, folder: Path) -> InstalledPack:
    manifest = _manifest(folder)
    if manifest is None or manifest.format != _FORMAT:
        raise _NotInstalledError("no manifest")
    found: dict[Role, InstalledFile] = {}
    for entry in manifest.files:
        if entry.sha256 not in {file.sha256 for file in pack.choices(entry.role)}:
            raise _NotInstalledError(f"{entry.name} is not a file of this pack")
        for name, digest in {entry.name: entry.sha256, entry.fast_name: entry.fast_sha256}.items():
            check = _check(entry.role, folder / Path(name).name, digest)
            if check.state != "ok":
                raise _NotInstalledError(f"{name} is {check.state}")
        published = ModelFile(entry.role, entry.name, entry.sha256)
        found[entry.role] = InstalledFile(published, folder / entry.name, folder / entry.fast_name)
    if set(found) != set(ROLES):
        raise _NotInstalledError("a file is missing from the manifest")
    return InstalledPack(pack, found["detector"], found["recogniser"])


def _install(pack: Pack, folder: Path, models_path: Sequence[Path]) -> None:
    for leftover in folder.glob(f"{_SCRATCH}*"):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as name:
        scratch = Path(name)
        fetcher = Fetcher(scratch)
        entries = []
        for role in ROLES:
            file = _obtain(pack, role, folder, models_path, fetcher, scratch)
            entries.append(_prepare(file, folder, scratch))
        manifest = _Manifest(
            format=_FORMAT, pack=pack.name, licence=pack.licence, files=tuple(entries)
        )
        written = scratch / MANIFEST
        written.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        _land(written, folder / MANIFEST)
    log.info(
        "model pack installed",
        pack=pack.name,
        folder=str(folder),
        licence=pack.licence,
        terms=pack.licence_url,
    )


def _obtain(
    pack: Pack,
    role: Role,
    folder: Path,
    models_path: Sequence[Path],
    fetcher: Fetcher,
    scratch: Path,
) -> PackFile:
    """Land one published file of a role in `folder`; says which."""
    choices = pack.choices(role)
    for file in choices:
        for path in _local_candidates(pack, file, folder, models_path):
            if path.is_file() and sha256_of(path) == file.sha256:
                if path.parent != folder:
                    copy = scratch / file.name
                    shutil.copyfile(path, copy)
                    _land(copy, folder / file.name)
                return file
    failures: dict[str, str] = {}
    for file in choices:
        for place in file.places:
            arrived = scratch / file.name
            try:
                _fetch_verified(fetcher, place, file, arrived)
            except FetchError as error:
                if place.archive not in failures:
                    log.warning("model place failed", place=place.archive, reason=str(error))
                failures[place.archive] = str(error)
                continue
            _land(arrived, folder / file.name)
            return file
    reasons = "; ".join(f"{place}: {reason}" for place, reason in failures.items()) or "no place"
    names = " or ".join(file.name for file in choices)
    raise ModelError(
        f"cannot get the {role} of {pack.name} ({reasons}); put {names} into {folder},"
        " or name a directory that has it in MODELS_PATH"
    )


def _fetch_verified(fetcher: Fetcher, place: Place, file: PackFile, target: Path) -> None:
    fetcher.fetch(place, target)
    digest = sha256_of(target)
    if digest != file.sha256:
        target.unlink()
        raise FetchError(f"{file.name} has sha256 {digest}, not {file.sha256}")


def _local_candidates(
    pack: Pack, file: PackFile, folder: Path, models_path: Sequence[Path]
) -> Iterator[Path]:
    insightface_cache = Path("~/.insightface/models").expanduser()
    yield folder / file.name
    for directory in (folder.parent, *models_path, insightface_cache):
        yield directory / file.name
        yield directory / pack.name / file.name


def _prepare(file: PackFile, folder: Path, scratch: Path) -> _ManifestFile:
    fast_name, fast_sha256 = file.name, file.sha256
    if file.role == "recogniser":
        rewritten = scratch / f"{Path(file.name).stem}.fast.onnx"
        if rewrite_recogniser(folder / file.name, rewritten, best_form()):
            fast_name, fast_sha256 = rewritten.name, sha256_of(rewritten)
            _land(rewritten, folder / fast_name)
    return _ManifestFile(
        role=file.role,
        name=file.name,
        sha256=file.sha256,
        fast_name=fast_name,
        fast_sha256=fast_sha256,
    )


def _land(source: Path, target: Path) -> None:
    """Move a finished file to its name, whole or not at all, even across a power cut."""
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(target)
