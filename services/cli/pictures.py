"""Annotated pictures: for each camera and person, the frame that shows the person best."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from services.cli.watcher import BestFrame
from services.records.jpeg import decode_jpeg, encode_jpeg

if TYPE_CHECKING:
    from viewer.lettering import Lettering
    from viewer.texts import Texts

_MAX_PIXELS = 200_000_000
_QUALITY = 92


def save_pictures(folder: Path, best: Mapping[tuple[str, str], BestFrame]) -> list[Path]:
    """Write `<camera>-<slug>.jpg` for each; returns the paths."""
    from viewer.lettering import Lettering
    from viewer.texts import Texts

    lettering, texts = Lettering(), Texts()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for (camera, name), frame in sorted(best.items()):
        slug = next(face.person for face in frame.frame.faces if face.name == name)
        path = folder / f"{camera}-{slug}.jpg"
        path.write_bytes(_annotated(frame, lettering, texts))
        written.append(path)
    return written


def _annotated(best: BestFrame, lettering: Lettering, texts: Texts) -> bytes:
    from viewer.drawing import draw_marks
    from viewer.pictures import picture_of

    image = decode_jpeg(best.jpeg, max_bytes=len(best.jpeg), max_pixels=_MAX_PIXELS)
    picture = picture_of(best.frame, best.jpeg, texts)
    draw_marks(image, picture.marks, picture.size, lettering)
    return encode_jpeg(image, _QUALITY)
