"""Tagged copies: boxes and names, or an image per person on their faces; and a contact sheet."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import av
import cv2
import numpy as np

from producer.sources.images import load_image
from producer.sources.video import VideoFileSource
from services.cli.tag.manifest import write_whole
from services.errors import SettingsError, SourceError
from services.records.facestream_pb2 import Box, IdentifiedFrame
from services.records.jpeg import Image, encode_jpeg
from viewer.drawing import draw_marks
from viewer.lettering import Lettering
from viewer.pictures import picture_of
from viewer.texts import Texts

_QUALITY = 92
_LARGER = 1.6  # a label covers hair and chin, too
_THUMB_PX = 240
_CAPTION_PX = 22
_ACROSS = 5
_MOST_THUMBS = 500
_FALLBACK_RATE = 25.0
_KEPT_VIDEO = (".mp4", ".mkv", ".mov", ".m4v")


class Painter:
    """Draws what was found.

    Args:
        labels: image file by slug of a person; None draws boxes and names.

    Raises:
        SettingsError: a label is not an image.
    """

    def __init__(self, labels: Mapping[str, Path] | None) -> None:
        self._lettering = Lettering()
        self._texts = Texts()
        self._labels = None
        if labels is not None:
            self._labels = {slug: _read_label(path) for slug, path in labels.items()}

    def picture(self, source: Path, target: Path, frame: IdentifiedFrame) -> None:
        """Write a tagged copy of a picture, upright, as PNG or JPEG."""
        image = self._paint(load_image(source, source.read_bytes()), frame)
        if target.suffix.lower() == ".png":
            write_whole(target, cv2.imencode(".png", image)[1].tobytes())
        else:
            write_whole(target, encode_jpeg(image, _QUALITY))

    def video(self, source: Path, target: Path, frames: Sequence[IdentifiedFrame]) -> None:
        """Write a tagged copy of a video, without its sound."""
        by_seq = {frame.frame.seq: frame for frame in frames}
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{os.getpid()}.{target.name}")
        try:
            with av.open(str(draft), "w") as container:
                stream = None
                for seq, plain in enumerate(_images(source)):
                    if stream is None:
                        stream = container.add_stream(
                            "libx264", rate=max(1, round(rate_of(source)))
                        )
                        height, width = plain.shape[:2]
                        stream.width, stream.height = width - width % 2, height - height % 2
                        stream.pix_fmt = "yuv420p"
                        stream.options = {"crf": "20", "preset": "veryfast"}
                    frame = by_seq.get(seq)
                    image = plain if frame is None else self._paint(plain, frame)
                    even = np.ascontiguousarray(image[: stream.height, : stream.width])
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="bgr24")))
                if stream is not None:
                    container.mux(stream.encode())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)

    def contact_sheet(self, target: Path, tiles: Sequence[tuple[Path, str]]) -> None:
        """Write one picture of all tagged pictures, small, each with its caption."""
        shown = [self._tile(path, caption) for path, caption in tiles[:_MOST_THUMBS]]
        if not shown:
            return
        across = min(_ACROSS, len(shown))
        blank = np.full_like(shown[0], 255)
        shown += [blank] * (-len(shown) % across)
        rows = [np.hstack(shown[at : at + across]) for at in range(0, len(shown), across)]
        write_whole(target, encode_jpeg(np.vstack(rows), _QUALITY))

    def _paint(self, image: Image, frame: IdentifiedFrame) -> Image:
        if self._labels is None:
            picture = picture_of(frame, b"", self._texts)
            draw_marks(image, picture.marks, picture.size, self._lettering)
            return image
        for face in frame.faces:
            if (label := self._labels.get(face.person)) is not None:
                _paste(image, label, face.box)
        return image

    def _tile(self, path: Path, caption: str) -> Image:
        tile = np.full((_THUMB_PX + 2 * _CAPTION_PX, _THUMB_PX + 8, 3), 255, np.uint8)
        picture = _first_image(path)
        height, width = picture.shape[:2]
        factor = min(_THUMB_PX / width, _THUMB_PX / height)
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        top, left = (_THUMB_PX - size[1]) // 2, (_THUMB_PX - size[0]) // 2 + 4
        tile[top : top + size[1], left : left + size[0]] = small
        text_px = _CAPTION_PX - 6
        text = self._lettering.fit(caption, text_px, _THUMB_PX)
        self._lettering.draw(tile, text, (6, _THUMB_PX + _CAPTION_PX), text_px, (40, 30, 20))
        return tile


def target_name(key: str, kind: str) -> str:
    """The tagged copy's name: as the input's, where that can be written."""
    path = Path(key)
    suffix = path.suffix.lower()
    if kind == "video":
        return key if suffix in _KEPT_VIDEO else f"{key}.mp4"
    return key if suffix in (".jpg", ".jpeg", ".jpe", ".png") else f"{key}.jpg"


def find_labels(folder: Path, slug_of: Mapping[str, str]) -> dict[str, Path]:
    """The label image of each person: a file called as they are, by slug.

    Args:
        folder: of label images.
        slug_of: slug by name, of everyone there is.
    """
    by_stem = {path.stem.casefold(): path for path in sorted(folder.iterdir()) if path.is_file()}
    found = {}
    for name, slug in slug_of.items():
        path = by_stem.get(name.casefold()) or by_stem.get(slug)
        if path is not None:
            found[slug] = path
    return found


def _images(source: Path) -> Iterator[Image]:
    """Every frame up to where the file is broken, if it is: the producer has told of that."""
    video = VideoFileSource(source)
    try:
        with suppress(SourceError):
            for frame in video.frames():
                yield frame.load()
    finally:
        video.close()


def _first_image(path: Path) -> Image:
    if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".jpe"):
        return load_image(path, path.read_bytes())
    return next(_images(path))


def rate_of(video: Path) -> float:
    """Frames per second of a video, on average."""
    with av.open(str(video)) as container:
        rate = container.streams.video[0].average_rate
    return float(rate) if rate else _FALLBACK_RATE


def _read_label(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise SettingsError(f"--labels: {path} is not a picture")
    image = image.astype(np.uint8)
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR).astype(np.uint8)
    if image.shape[2] == 3:
        opaque = np.full((*image.shape[:2], 1), 255, np.uint8)
        image = np.concatenate([image, opaque], axis=2)
    return image.astype(np.uint8, copy=False)


def _paste(image: Image, label: Image, box: Box) -> None:
    """Put a label (height, width, 4 BGRA) on a face, keeping its shape."""
    factor = _LARGER * max(box.width / label.shape[1], box.height / label.shape[0])
    width, height = round(label.shape[1] * factor), round(label.shape[0] * factor)
    if width < 1 or height < 1:
        return
    scaled = cv2.resize(label, (width, height), interpolation=cv2.INTER_AREA)
    left = round(box.x + (box.width - width) / 2)
    top = round(box.y + (box.height - height) / 2)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(image.shape[1], left + width), min(image.shape[0], top + height)
    if x1 <= x0 or y1 <= y0:
        return
    part = scaled[y0 - top : y1 - top, x0 - left : x1 - left]
    alpha = part[:, :, 3:].astype(np.float32) / 255
    under = image[y0:y1, x0:x1]
    image[y0:y1, x0:x1] = (part[:, :, :3] * alpha + under * (1 - alpha)).astype(np.uint8)
