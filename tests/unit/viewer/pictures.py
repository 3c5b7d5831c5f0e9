"""Pictures for the unit tests of the viewer, made in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np

from services.records.jpeg import Image, encode_jpeg
from viewer.pictures import Mark, Picture

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
SIZE = (320, 180)


def grey(width: int = SIZE[0], height: int = SIZE[1], level: int = 90) -> Image:
    return np.full((height, width, 3), level, np.uint8)


@cache
def noise(number: int = 1) -> bytes:
    """A JPEG of about 50 kB in which everything shows that is done to it; one per number."""
    pixels = np.random.default_rng(number).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    return encode_jpeg(pixels, 80)


def mark(person: str = "", name: str = "", x: float = 100, y: float = 60) -> Mark:
    return Mark((x, y, 60, 70), person, name or person, 0.61)


def picture(
    seq: int = 0,
    camera: str = "hall",
    *marks: Mark,
    session: str = "s1",
    late: bool = False,
    jpeg: bytes | None = None,
    at: datetime | None = None,
) -> Picture:
    return Picture(
        camera=camera,
        session=session,
        seq=seq,
        captured_at=at or START + timedelta(milliseconds=40 * seq),
        size=SIZE,
        marks=marks,
        jpeg=encode_jpeg(grey(level=60 + seq % 100), 90) if jpeg is None else jpeg,
        late=late,
    )


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds - 1_000)
