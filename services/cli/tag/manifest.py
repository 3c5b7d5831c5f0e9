"""What every output was made of: the file that makes a second run do only what is new."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from services.cli.tag.inputs import Kind
from services.errors import SettingsError

FOLDER = ".facestream"


class Model(BaseModel):
    """A model file."""

    role: str
    name: str
    sha256: str


class Entry(BaseModel):
    """One input as it was tagged.

    Attributes:
        kind: picture or video.
        path: as it was given.
        sha256: of the file.
        size: of the file, bytes.
        mtime_ns: of the file: while both are the same the file is not read again.
        camera: name its frames went by.
        session: of the producer that sent them.
        first_seq: number of its first frame.
        frames: how many.
        error: why it could not be tagged; empty when it was.
        answer: digest of what was found in it, and of what it was drawn with.
        names: who is in it.
        faces: how many faces, over all frames.
        outputs: sha256 by file, relative to the folder of outputs.
    """

    kind: Kind
    path: str
    sha256: str
    size: int
    mtime_ns: int
    camera: str = ""
    session: str = ""
    first_seq: int = 0
    frames: int = 0
    error: str = ""
    answer: str = ""
    names: list[str] = []
    faces: int = 0
    outputs: dict[str, str] = {}


class Manifest(BaseModel):
    """Everything that was tagged into one folder.

    Attributes:
        format: of this file.
        detection: settings that change what is found in a frame.
        matching: settings that change who it is.
        models: that found the faces.
        people: sha256 by photo, relative to the folder of people.
        labels: sha256 by label image.
        entries: by the input's key.
    """

    format: Literal[1] = 1
    detection: dict[str, str] = {}
    matching: dict[str, str] = {}
    models: list[Model] = []
    people: dict[str, str] = {}
    labels: dict[str, str] = {}
    entries: dict[str, Entry] = {}


def load_manifest(out: Path) -> Manifest:
    """The manifest of a folder of outputs; an empty one where there is none.

    Raises:
        SettingsError: it is damaged, or of another version of facestream.
    """
    path = out / FOLDER / "manifest.json"
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Manifest()
    except ValidationError:
        raise SettingsError(
            f"{path} is damaged or of another version: remove {out / FOLDER} to tag anew"
        ) from None


def save_manifest(out: Path, manifest: Manifest) -> None:
    """Write it, whole or not at all."""
    write_whole(out / FOLDER / "manifest.json", manifest.model_dump_json(indent=1).encode())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def digest_of(value: Any) -> str:
    """Hex digest of anything JSON can say."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
