"""Addresses of sources: what kind each is, and how to name it without its credentials."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from services.addresses import SCHEME, host_of, redact
from services.records.frames import valid_camera_name

Kind = Literal["device", "rtsp", "http", "file", "images"]

__all__ = [
    "IMAGE_SUFFIXES",
    "Kind",
    "SourceSpec",
    "check_source",
    "is_glob",
    "local_path",
    "parse_source",
    "redact",
    "source_kind",
]

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".jp2", ".ppm", ".pgm"}
)
_NETWORK: dict[str, Kind] = {"rtsp": "rtsp", "rtsps": "rtsp", "http": "http", "https": "http"}
_COMMA = re.compile(r"%2c", re.IGNORECASE)
_IMAGE_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n")


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One source as asked for: the camera's name and the address, which may carry a password."""

    camera: str
    uri: str = field(repr=False)


def parse_source(text: str) -> SourceSpec:
    """Read `name=uri`; `%2C` in it stands for a comma.

    Raises:
        ValueError: one line that shows no credentials.
    """
    camera, equals, uri = text.partition("=")
    camera, uri = camera.strip(), _COMMA.sub(",", uri.strip())
    if not equals or not uri:
        raise ValueError(f"{redact(text)!r} is not name=uri")
    check_source(camera, uri)
    return SourceSpec(camera, uri)


def check_source(camera: str, uri: str) -> None:
    """Refuse what can never work, before anything is opened.

    Raises:
        ValueError: one line that shows no credentials.
    """
    if not valid_camera_name(camera):
        raise ValueError(
            f"{redact(camera)!r} is not a camera name: 1 to 64 of A-Z a-z 0-9 _ . -, not dots alone"
        )
    if source_kind(uri) in ("rtsp", "http") and not host_of(uri):
        raise ValueError(
            f"the address of {camera} ({redact(uri)}) is not scheme://[user:password@]host"
            "[:port]/path; write special characters of a password as %XX"
        )


def source_kind(uri: str) -> Kind:
    """What an address leads to; looks at the file system where it names a file.

    Raises:
        ValueError: a scheme that is not known.
    """
    if match := SCHEME.match(uri):
        scheme = match[1].lower()
        if scheme in _NETWORK:
            return _NETWORK[scheme]
        if scheme != "file" and not Path(uri).exists():
            raise ValueError(
                f"{redact(uri)}: unknown scheme {scheme}:// (allowed: rtsp, rtsps, http, https, "
                "file; or a device number, a path, a glob)"
            )
    if uri.isascii() and uri.isdigit():
        return "device"
    if uri.startswith("/dev/"):
        return "device"
    path = local_path(uri)
    if path.is_dir() or is_glob(path) or path.suffix.lower() in IMAGE_SUFFIXES:
        return "images"
    return "images" if _looks_like_image(path) else "file"


def local_path(uri: str) -> Path:
    """The path that a file's address names; `~` is the home directory."""
    if uri.startswith("file://"):
        return Path(unquote(uri.removeprefix("file://")))
    return Path(uri).expanduser()


def is_glob(path: Path) -> bool:
    """Whether a path is a pattern: it has `*`, `?` or `[`, and no file is called just that."""
    return any(sign in str(path) for sign in "*?[") and not path.exists()


def _looks_like_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(8).startswith(_IMAGE_MAGIC)
    except OSError:
        return False
