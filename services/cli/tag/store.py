"""Faces and embeddings of every input, kept so that new people need no second detection.

A file per input: records of `frames.processed` (Protobuf), each behind its length in four bytes,
little-endian. Their JPEGs are blank pictures of the same size: matching needs no pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from services.cli.tag.manifest import FOLDER, write_whole
from services.records.facestream_pb2 import ProcessedFrame
from services.records.jpeg import encode_jpeg

_LENGTH = struct.Struct("<I")


def keep(out: Path, sha256: str, frames: Sequence[ProcessedFrame]) -> None:
    """Keep an input's frames, in order."""
    parts = []
    for frame in frames:
        lean = ProcessedFrame()
        lean.CopyFrom(frame)
        lean.jpeg = _blank(frame.frame.width, frame.frame.height)
        data = lean.SerializeToString(deterministic=True)
        parts += [_LENGTH.pack(len(data)), data]
    write_whole(_path(out, sha256), b"".join(parts))


def kept(out: Path, sha256: str) -> Iterator[ProcessedFrame]:
    """An input's frames, in order.

    Raises:
        OSError: nothing is kept of it.
    """
    with _path(out, sha256).open("rb") as file:
        while header := file.read(_LENGTH.size):
            yield ProcessedFrame.FromString(file.read(_LENGTH.unpack(header)[0]))


def is_kept(out: Path, sha256: str) -> bool:
    """Whether an input's frames are there."""
    return _path(out, sha256).is_file()


def forget_all_but(out: Path, sha256s: set[str]) -> None:
    """Remove what no input needs any more."""
    for path in (out / FOLDER / "frames").glob("*.frames"):
        if path.stem not in sha256s:
            path.unlink(missing_ok=True)


def _path(out: Path, sha256: str) -> Path:
    return out / FOLDER / "frames" / f"{sha256}.frames"


@lru_cache(maxsize=16)
def _blank(width: int, height: int) -> bytes:
    return encode_jpeg(np.zeros((height, width, 3), np.uint8), 1)
