"""A frame to show: its JPEG as it came, who is in it, and what has been drawn of it so far."""

from __future__ import annotations

import asyncio
import math
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from services.records.facestream_pb2 import IdentifiedFace, IdentifiedFrame
from services.records.frames import from_ref
from viewer.shadows import Shadow
from viewer.texts import Texts

_MAX_NAME = 64
_MAX_FACES = 512
MOST_DRAWN = 12


@dataclass(frozen=True, slots=True)
class Mark:
    """One face to draw.

    Attributes:
        box: x, y, width, height; pixels in the frame, finite.
        person: slug, empty for an unknown face.
        name: as the user wrote it, without control characters; "Unknown 7" for an unknown
            person with a number, "unknown" for a face that has none yet.
        similarity: cosine to the best reference, -1 to 1.
    """

    box: tuple[float, float, float, float]
    person: str
    name: str
    similarity: float


class Style(NamedTuple):
    """How a frame is drawn: with names, with boxes, with the heads of unknown people blurred."""

    names: bool = True
    boxes: bool = True
    blur: bool = False


@dataclass(frozen=True, slots=True)
class Rendering:
    """A frame as browsers get it; encoded once, sent to all.

    Attributes:
        jpeg: the file.
        part: the same as one part of a multipart stream, closing boundary included.
    """

    jpeg: bytes = field(repr=False)
    part: bytes = field(repr=False)


class Drawing:
    """A rendering in the making, for many who wait; belongs to the event loop.

    Who leaves meanwhile takes it from nobody. `asyncio.shield` would do the same in twice the time.

    Args:
        making: done when it is made.
    """

    def __init__(self, making: asyncio.Future[Rendering]) -> None:
        self._making = making
        self._over = asyncio.Event()
        making.add_done_callback(self._end)

    async def get(self) -> Rendering:
        """The rendering; raises what making it raised."""
        if not self._making.done():
            await self._over.wait()
        return self._making.result()

    def _end(self, making: asyncio.Future[Rendering]) -> None:
        # Whoever waits sees an error too; asyncio would complain of one that nobody sees.
        if not making.cancelled():
            making.exception()
        self._over.set()


Kind = tuple[int, str, Style]
"""Which drawing it is: width (0 for the picture's own, below 0 for another cut), caption, style."""


class Renderings:
    """What was drawn of a picture.

    After `MOST_DRAWN` it has, for whom a width is missing, the nearest one there is: a few who ask
    for every width do not keep the painter from everybody else's. Caption and style are always
    those that were asked for: a width more or less shows nobody a face that is to be blurred.
    """

    def __init__(self) -> None:
        self._drawn: dict[Kind, Drawing] = {}
        self._wholes = 0

    def get(self, kind: Kind) -> Drawing | None:
        """What was drawn, or is to stand for it; None when it is to be drawn."""
        found = self._drawn.get(kind)
        if found is not None or kind[0] < 0 or self._wholes < MOST_DRAWN:
            return found
        like = [each for each in self._drawn if each[0] >= 0 and each[1:] == kind[1:]]
        wider = [each for each in like if _extent(each) > _extent(kind)]
        if wider:
            return self._drawn[min(wider, key=_extent)]
        return self._drawn[max(like, key=_extent)] if like else None

    def __setitem__(self, kind: Kind, drawing: Drawing) -> None:
        self._drawn[kind] = drawing
        self._wholes += kind[0] >= 0

    def __contains__(self, kind: object) -> bool:
        return kind in self._drawn


@dataclass(slots=True, eq=False)
class Picture:
    """The newest frame of a camera.

    Attributes:
        camera: its name.
        session: UUID of the producer's start, empty where there is none.
        seq: number of the frame in its session.
        captured_at: UTC.
        size: width and height in pixels.
        marks: the faces.
        jpeg: the frame as it lies in the log.
        late: released after a later frame of its camera: not to be shown.
        crowded: there are more faces than marks.
        shadows: where unknown faces were a moment ago; the board knows.
        sent: whether any browser got it yet.
        renderings: what was drawn of it, by width, caption and style; belongs to the painter.
    """

    camera: str
    session: str
    seq: int
    captured_at: datetime
    size: tuple[int, int]
    marks: tuple[Mark, ...] = field(repr=False)
    jpeg: bytes = field(repr=False)
    late: bool = False
    crowded: bool = False
    shadows: tuple[Shadow, ...] = field(default=(), repr=False)
    sent: bool = field(default=False, repr=False)
    renderings: Renderings = field(default_factory=Renderings, repr=False)

    @property
    def strangers(self) -> list[tuple[float, float, float, float]]:
        """Boxes to blur: unknown faces, and where there were some a moment ago."""
        unknown = [mark.box for mark in self.marks if not mark.person]
        return unknown + [shadow.box for shadow in self.shadows]

    def follows(self, shown: Picture) -> bool:
        """Whether it may be shown after `shown`: time never runs backwards on a screen."""
        if self.session and self.session == shown.session:
            return self.seq > shown.seq
        return self.captured_at >= shown.captured_at


def _extent(kind: Kind) -> float:
    return kind[0] or math.inf


def picture_of(identified: IdentifiedFrame, jpeg: bytes, t: Texts) -> Picture:
    """Make a picture of a record of `faces.identified`.

    Args:
        identified: the record.
        jpeg: its frame.
        t: what unknown people are called.

    Raises:
        RecordError: the frame names no camera, no time or no size.
    """
    meta = from_ref(identified.frame)
    return Picture(
        camera=meta.camera,
        session=meta.session,
        seq=meta.seq,
        captured_at=meta.captured_at.astimezone(UTC),
        size=(meta.width, meta.height),
        marks=tuple(mark for face in identified.faces[:_MAX_FACES] if (mark := _mark(face, t))),
        jpeg=jpeg,
        late=identified.late,
        crowded=len(identified.faces) > _MAX_FACES,
    )


def printable(name: str) -> str:
    """A name as one line of text: no control or direction-override characters, 64 at most."""
    kept = "".join(
        " " if c.isspace() else c for c in name if c.isspace() or unicodedata.category(c)[0] != "C"
    ).strip()
    return kept if len(kept) <= _MAX_NAME else kept[: _MAX_NAME - 1] + "…"


def _mark(face: IdentifiedFace, t: Texts) -> Mark | None:
    box = (face.box.x, face.box.y, face.box.width, face.box.height)
    if not all(math.isfinite(number) for number in box) or box[2] <= 0 or box[3] <= 0:
        return None
    person = printable(face.person)
    similarity = face.similarity if math.isfinite(face.similarity) else 0.0
    if person:
        return Mark(box, person, printable(face.name) or person, similarity)
    name = t("pictures.unknown_n", n=face.unknown) if face.unknown else t("pictures.unknown")
    return Mark(box, "", name, similarity)
