"""What one owner of a partition tells the next: how far each camera's session has got.

It travels as the metadata of the last committed offset, so that the next owner does not wait for
frames that were published long ago, and knows what it publishes a second time (it is late then).
A crash tells nothing; the next owner waits as long as a window then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

Marks = dict[str, tuple[str, int]]
"""By camera: how its session begins, and the number of the next frame."""

_SESSION_CHARS = 8
_MOST_BYTES = 3_500  # a broker takes 4,096 unless told otherwise
_FORMAT = "facestream1:"


def encode(marks: Iterable[tuple[str, str, int]]) -> str:
    """Camera, session and next number, most important first; what does not fit is left out."""
    said: dict[str, list[str | int]] = {}
    left_bytes = _MOST_BYTES
    for camera, session, seq in marks:
        left_bytes -= len(camera) + _SESSION_CHARS + 32
        if left_bytes < 0:
            break
        said[camera] = [session[:_SESSION_CHARS], seq]
    return _FORMAT + json.dumps(said, separators=(",", ":")) if said else ""


def decode(metadata: str | None) -> Marks:
    """The marks in an offset's metadata; none where somebody else wrote it."""
    if not metadata or not metadata.startswith(_FORMAT):
        return {}
    try:
        said = json.loads(metadata[len(_FORMAT) :])
        return {str(camera): (str(mark[0]), int(mark[1])) for camera, mark in said.items()}
    except (ValueError, TypeError, LookupError, AttributeError):
        return {}
