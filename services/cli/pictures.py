"""Annotated pictures: for each camera and person, the frame that shows the person best."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.cli.watcher import BestFrame


def save_pictures(folder: Path, best: Mapping[tuple[str, str], BestFrame]) -> list[Path]:
    """Write `<camera>-<slug>.jpg` for each; returns the paths."""
    from viewer.drawing import draw_frame

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for (camera, name), frame in sorted(best.items()):
        slug = next(face.person for face in frame.frame.faces if face.name == name)
        path = folder / f"{camera}-{slug}.jpg"
        path.write_bytes(draw_frame(frame.jpeg, frame.frame))
        written.append(path)
    return written
