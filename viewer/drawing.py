"""Drawing on a frame: boxes, names, and what is said where there is nothing to see.

Sizes follow the picture: lines and letters are as legible on 320 pixels as on 4,000.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from services.records.jpeg import Image
from viewer.lettering import Colour, Lettering
from viewer.pictures import Mark

UNKNOWN: Colour = (64, 176, 255)
# Told apart from each other, from skin and from the amber of unknown faces; BGR.
_NAMED: tuple[Colour, ...] = (
    (150, 214, 72), (236, 190, 74), (246, 148, 190),
    (190, 134, 252), (128, 232, 214), (255, 168, 118),
)  # fmt: skip
_INK: Colour = (24, 18, 12)
_PAPER: Colour = (245, 245, 245)
_PLACEHOLDER_SIZE = (640, 360)
# In letters that every font has, for an unknown face whose name cannot be drawn.
_NAMELESS = "?"


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes in pixels that suit a picture."""

    line_px: int
    text_px: int
    pad_px: int

    @classmethod
    def of(cls, width: int, height: int) -> Scale:
        """The sizes for a picture of `width` x `height` pixels."""
        side = (width * height) ** 0.5
        text = round(min(max(side / 30, 13), 96))
        return cls(line_px=round(min(max(side / 260, 2), 12)), text_px=text, pad_px=text // 4 + 1)


def fitted(image: Image, longest_px: int, widest_px: int) -> Image:
    """The picture, made smaller where its longest side or its width is above the limit."""
    height, width = image.shape[:2]
    factor = min(longest_px / max(width, height), widest_px / width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def hue_of(person: str) -> int:
    """The number of a person's colour, always the same; the style sheet has them too."""
    return zlib.crc32(person.encode()) % len(_NAMED)


def colour_of(person: str) -> Colour:
    """A person's colour, always the same; amber for an unknown face."""
    return _NAMED[hue_of(person)] if person else UNKNOWN


def draw_marks(
    image: Image,
    marks: Sequence[Mark],
    frame_size: tuple[int, int],
    lettering: Lettering,
    *,
    names: bool = True,
    boxes: bool = True,
) -> None:
    """Draw boxes and names into `image`.

    Args:
        image: (height, width, 3) uint8 BGR, changed in place.
        marks: the faces, in pixels of the frame.
        frame_size: width and height of the frame, which `image` may be a smaller copy of.
        lettering: the font.
        names: whether to write names.
        boxes: whether to draw boxes.
    """
    height, width = image.shape[:2]
    across, down = width / frame_size[0], height / frame_size[1]
    scale = Scale.of(width, height)
    placed = [(_corners(mark, across, down, width, height), mark) for mark in marks]
    for corners, mark in placed if boxes else ():
        _box(image, corners, colour_of(mark.person), scale.line_px)
    # Names last: a neighbour's box never strikes one out.
    for corners, mark in placed if names else ():
        _label(image, corners, mark, scale, lettering)


def dimmed(image: Image) -> Image:
    """The picture without its colours and most of its light."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return cv2.cvtColor(cv2.convertScaleAbs(grey, alpha=0.35), cv2.COLOR_GRAY2BGR).astype(np.uint8)


def draw_caption(image: Image, lines: Sequence[str], lettering: Lettering) -> None:
    """Write lines across the middle of `image`, the first one larger."""
    height, width = image.shape[:2]
    text_px = round(min(max((width * height) ** 0.5 / 20, 12), 120))
    sizes = [text_px if at == 0 else max(11, round(text_px * 0.7)) for at in range(len(lines))]
    y = (height - round(1.5 * sum(sizes))) // 2
    for text, size in zip(lines, sizes, strict=True):
        shown = lettering.fit(text, size, width - 2 * size)
        y += round(1.5 * size)
        left = (width - lettering.width(shown, size)) // 2
        lettering.draw(image, shown, (left, y - size // 3), size, _PAPER)


def placeholder(lines: Sequence[str], lettering: Lettering) -> Image:
    """A dark picture that says something, for a stream that has none yet."""
    width, height = _PLACEHOLDER_SIZE
    image = np.full((height, width, 3), (38, 30, 24), np.uint8)
    draw_caption(image, lines, lettering)
    return image


def face_crop(image: Image, mark: Mark, frame_size: tuple[int, int], side_px: int) -> Image:
    """A square around one face, half as large again as its box, `side_px` on a side."""
    height, width = image.shape[:2]
    x, y, w, h = (
        value * factor
        for value, factor in zip(
            mark.box, (width / frame_size[0], height / frame_size[1]) * 2, strict=True
        )
    )
    side = max(8, round(min(max(w, h) * 1.5, width, height)))
    left = round(min(max(x + w / 2 - side / 2, 0), width - side))
    top = round(min(max(y + h / 2 - side / 2, 0), height - side))
    crop = image[top : top + side, left : left + side]
    return cv2.resize(crop, (side_px, side_px), interpolation=cv2.INTER_AREA).astype(np.uint8)


Corners = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, inside the picture."""


def _corners(mark: Mark, across: float, down: float, width: int, height: int) -> Corners:
    x, y, w, h = mark.box
    left, right = (min(max(round(v * across), 0), width - 1) for v in (x, x + w))
    top, bottom = (min(max(round(v * down), 0), height - 1) for v in (y, y + h))
    return left, top, right, bottom


def _box(image: Image, corners: Corners, colour: Colour, line_px: int) -> None:
    left, top, right, bottom = corners
    for ink, thickness in ((_INK, line_px + 2), (colour, line_px)):
        cv2.rectangle(image, (left, top), (right, bottom), ink, thickness, cv2.LINE_AA)


def _label(image: Image, corners: Corners, mark: Mark, scale: Scale, lettering: Lettering) -> None:
    height, width = image.shape[:2]
    left, top, _, bottom = corners
    name = mark.name if lettering.drawable(mark.name) else mark.person
    score = f"  {mark.similarity:.2f}" if mark.person else ""
    text = lettering.fit(name or _NAMELESS, scale.text_px, width // 2) + score
    wide = lettering.width(text, scale.text_px) + 2 * scale.pad_px
    tall = round(scale.text_px * 1.25) + scale.pad_px
    edge = scale.line_px // 2 + 1
    x = max(0, min(left - edge, width - wide))
    y = next(
        at
        for at in (top - edge - tall, bottom + edge, top + edge)
        if (at >= 0 and at + tall <= height) or at == top + edge
    )
    cv2.rectangle(image, (x, y), (x + wide, y + tall), colour_of(mark.person), cv2.FILLED)
    baseline = y + tall - scale.pad_px - round(scale.text_px * 0.18)
    lettering.draw(image, text, (x + scale.pad_px, baseline), scale.text_px, _INK)
