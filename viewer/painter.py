"""Draws and encodes a frame when the first browser wants it, once however many do.

A frame nobody looks at costs nothing. A frame on which there is nothing to draw, in the size it
came, is passed on as it is. Drawing runs on a few threads of its own; everything else here
belongs to the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from services.lifecycle import metrics
from services.records.jpeg import Image, decode_jpeg, encode_jpeg
from viewer.blurring import blur_all, blur_heads
from viewer.board import View
from viewer.drawing import dimmed, draw_caption, draw_marks, face_crop, fitted, placeholder
from viewer.lettering import Lettering
from viewer.pictures import Drawing, Picture, Rendering, Style

BOUNDARY = b"facestream"
_WIDTHS = (160, 240, 320, 480, 640, 960, 1_280, 1_920, 2_560, 3_840)
_FACE_PX = 96
_PLAIN = Style()
_AS_IT_IS = (-1, "", Style(names=False, boxes=False, blur=False))
_EXIF_WITHIN_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Brush:
    """How frames are drawn: JPEG quality 1 to 100, limits in pixels and bytes, threads."""

    quality: int
    max_side_px: int
    max_pixels: int
    max_bytes: int
    threads: int = 2


class Painter:
    """Makes renderings of views; at most one per frame, width, caption and style.

    Args:
        brush: how to draw.
        lettering: the font.
        blur_unknown: nobody gets a picture with the head of an unknown person, whatever they ask.
    """

    def __init__(self, brush: Brush, lettering: Lettering, *, blur_unknown: bool = False) -> None:
        self._brush = brush
        self._lettering = lettering
        self._blur_unknown = blur_unknown
        self._pool = ThreadPoolExecutor(brush.threads, thread_name_prefix="painter")
        self._placeholders: dict[tuple[str, ...], Rendering] = {}

    async def render(self, view: View, width: int = 0, style: Style = _PLAIN) -> Rendering:
        """What a browser gets of a view.

        Args:
            view: from the board.
            width: pixels the browser has room for, rounded up to one of a few; 0 is no limit.
            style: what it wants to see.

        Raises:
            RecordError: the frame cannot be decoded.
        """
        picture = view.picture
        if picture is None:
            return self._placeholder(view.caption)
        widest = self._widest(picture, width)
        todo = self._todo(picture, style, captioned=bool(view.caption))
        if not view.caption and not any(todo) and not widest and self._as_it_is(picture):
            return await self._once(picture, _AS_IT_IS, lambda: multipart(picture.jpeg))
        return await self._once(
            picture,
            (widest, "\n".join(view.caption), todo),
            lambda: self._draw(picture, widest, view.caption, todo),
        )

    async def face(self, view: View, style: Style = _PLAIN) -> Rendering | None:
        """A small square with the face of a person's channel; None when it shows no such face.

        Raises:
            RecordError: the frame cannot be decoded.
        """
        picture, person = view.picture, view.key.name
        if picture is None or all(mark.person != person for mark in picture.marks):
            return None
        blur = self._todo(picture, style, captioned=False).blur
        return await self._once(
            picture,
            (-2, person, Style(names=False, boxes=False, blur=blur)),
            lambda: self._crop(picture, person, blur=blur),
        )

    def close(self) -> None:
        """Let the drawing in hand end and take no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _widest(self, picture: Picture, width: int) -> int:
        rung = next((rung for rung in _WIDTHS if rung >= width), 0) if width > 0 else 0
        return rung if 0 < rung < picture.size[0] else 0

    def _todo(self, picture: Picture, style: Style, *, captioned: bool) -> Style:
        """What of a style there is to do on a picture: styles that come to the same are one."""
        drawn = bool(picture.marks) and not captioned
        return Style(
            names=style.names and drawn,
            boxes=style.boxes and drawn,
            blur=(style.blur or self._blur_unknown)
            and (picture.crowded or bool(picture.strangers)),
        )

    def _as_it_is(self, picture: Picture) -> bool:
        # Browsers turn a JPEG by its EXIF orientation, the boxes know nothing of that. Once found
        # to be without, it is not searched again for everyone who watches.
        return _AS_IT_IS in picture.renderings or (
            max(picture.size) <= self._brush.max_side_px
            and b"Exif\0\0" not in picture.jpeg[:_EXIF_WITHIN_BYTES]
        )

    async def _once(
        self, picture: Picture, kind: tuple[int, str, Style], work: Callable[[], Rendering]
    ) -> Rendering:
        drawing = picture.renderings.get(kind)
        if drawing is None:
            drawing = Drawing(asyncio.get_running_loop().run_in_executor(self._pool, work))
            picture.renderings[kind] = drawing
        return await drawing.get()

    def _draw(
        self, picture: Picture, widest: int, caption: tuple[str, ...], todo: Style
    ) -> Rendering:
        with metrics.STAGE_SECONDS.labels("draw").time():
            brush = self._brush
            image = fitted(self._decode(picture), brush.max_side_px, widest or brush.max_side_px)
            if todo.blur:
                _blur(image, picture)
            if caption:
                image = dimmed(image)
                draw_caption(image, caption, self._lettering)
            else:
                draw_marks(
                    image,
                    picture.marks,
                    picture.size,
                    self._lettering,
                    names=todo.names,
                    boxes=todo.boxes,
                )
            rendering = multipart(encode_jpeg(image, brush.quality))
        metrics.DRAWN.inc()
        return rendering

    def _crop(self, picture: Picture, person: str, *, blur: bool) -> Rendering:
        image = self._decode(picture)
        if blur:
            _blur(image, picture)
        mark = next(mark for mark in picture.marks if mark.person == person)
        crop = face_crop(image, mark, picture.size, _FACE_PX)
        metrics.DRAWN.inc()
        return multipart(encode_jpeg(crop, self._brush.quality))

    def _decode(self, picture: Picture) -> Image:
        brush = self._brush
        return decode_jpeg(picture.jpeg, max_bytes=brush.max_bytes, max_pixels=brush.max_pixels)

    def _placeholder(self, caption: tuple[str, ...]) -> Rendering:
        if caption not in self._placeholders:
            if len(self._placeholders) > 256:
                self._placeholders.clear()
            image = placeholder(caption, self._lettering)
            self._placeholders[caption] = multipart(encode_jpeg(image, self._brush.quality))
        return self._placeholders[caption]


def multipart(jpeg: bytes) -> Rendering:
    """A JPEG, also as a part of `multipart/x-mixed-replace`.

    The part ends with the next boundary: a browser shows a part once it has seen where it ends,
    and of a camera that falls silent the last frame must be seen.
    """
    head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
    return Rendering(jpeg, b"".join((head, jpeg, b"\r\n--", BOUNDARY, b"\r\n")))


def _blur(image: Image, picture: Picture) -> None:
    if picture.crowded:
        blur_all(image)
    else:
        blur_heads(image, picture.strangers, picture.size)
