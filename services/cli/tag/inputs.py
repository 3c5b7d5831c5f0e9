"""What is to be tagged: pictures and videos, each under a key of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from producer.addresses import IMAGE_SUFFIXES
from producer.sources.images import natural
from services.errors import SettingsError

VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".avi", ".gif", ".mov", ".webm", ".m4v"})
Kind = Literal["picture", "video"]


@dataclass(frozen=True, slots=True)
class Input:
    """A file to tag.

    Attributes:
        key: relative path its outputs are called by; unique, and the same in every run.
        path: of the file.
        kind: one frame, or many.
    """

    key: str
    path: Path
    kind: Kind


def find_inputs(paths: Sequence[Path], leave_out: Path) -> list[Input]:
    """Every picture and video that the paths name, folders with all that is in them.

    Args:
        paths: files and folders.
        leave_out: folder of the outputs, should it lie among the inputs.

    Raises:
        SettingsError: a path does not exist, or nothing is there to tag.
    """
    found: dict[str, Input] = {}
    leave_out = leave_out.resolve()
    for path in paths:
        if not path.exists():
            raise SettingsError(f"{path}: no such file or folder")
        for file, key in _files(path):
            kind = _kind(file, named=not path.is_dir())
            if kind is None or file.resolve().is_relative_to(leave_out):
                continue
            known = found.setdefault(key, Input(key, file, kind))
            if known.path.resolve() != file.resolve():
                digest = hashlib.sha256(str(file.resolve().parent).encode()).hexdigest()[:8]
                found[f"{digest}-{key}"] = Input(f"{digest}-{key}", file, kind)
    if not found:
        raise SettingsError(f"{', '.join(map(str, paths))}: no picture and no video there")
    return [found[key] for key in sorted(found, key=lambda key: natural(Path(key)))]


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(path: Path) -> list[tuple[Path, str]]:
    if not path.is_dir():
        return [(path, path.name)]
    files = (file for file in path.rglob("*") if file.is_file())
    return [(file, str(file.relative_to(path))) for file in files]


def _kind(path: Path, *, named: bool) -> Kind | None:
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return "video"
    if suffix in IMAGE_SUFFIXES:
        return "picture"
    return "picture" if named else None  # what is asked for by name is tried, and told about
