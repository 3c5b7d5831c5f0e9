"""How much a reference photo is worth, in one word, and the figures behind the word.

Limits from docs/enrolment.md, where they were measured: below them photos of one person are
clearly less like each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from viewer.identifier import Json

Grade = Literal["good", "fair", "poor"]

_GRADES: tuple[Grade, ...] = ("good", "fair", "poor")
# Each: good from, fair from. A face of 112 pixels is what the recogniser looks at.
_SIZE_PX = (80.0, 40.0)
_SCORE = (0.65, 0.5)
_SHARPNESS = (25.0, 10.0)
# Each: good up to, fair up to.
_YAW_DEG = (35.0, 60.0)
_PITCH_DEG = (40.0, 55.0)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a photo.

    Attributes:
        key: `size`, `score`, `sharpness`, `yaw` or `pitch`.
        value: with its unit.
        grade: what it says of the photo.
    """

    key: str
    value: str
    grade: Grade


@dataclass(frozen=True, slots=True)
class Quality:
    """What a photo is worth.

    Attributes:
        grade: that of its worst figure.
        figures: all there are.
        worst: keys of the figures that are not good, worst first.
    """

    grade: Grade
    figures: tuple[Figure, ...]
    worst: tuple[str, ...]


def quality_of(face: Json) -> Quality | None:
    """Grade a face (`FaceShape` of the identifier); None while no model has read it."""
    box, score = face.get("box"), face.get("score")
    if box is None or score is None:
        return None
    size_px = min(float(box["width"]), float(box["height"]))
    figures = [
        Figure("size", f"{size_px:.0f} px", _from(size_px, _SIZE_PX)),
        Figure("score", f"{float(score):.2f}", _from(float(score), _SCORE)),
    ]
    sharpness, pose = face.get("sharpness"), face.get("pose")
    if sharpness is not None:
        grade = _from(float(sharpness), _SHARPNESS)
        figures.append(Figure("sharpness", f"{float(sharpness):.0f}", grade))
    if pose is not None:
        for key, limits in (("yaw", _YAW_DEG), ("pitch", _PITCH_DEG)):
            degrees = float(pose[key])
            figures.append(Figure(key, f"{degrees:+.0f}°", _up_to(abs(degrees), limits)))
    bad = sorted(
        (figure for figure in figures if figure.grade != "good"),
        key=lambda figure: -_GRADES.index(figure.grade),
    )
    grade = bad[0].grade if bad else "good"
    return Quality(grade, tuple(figures), tuple(figure.key for figure in bad))


def best_face(faces: list[Json]) -> Json | None:
    """The photo to show somebody by: the best graded, surest face; None of none."""

    def worth(face: Json) -> tuple[int, float]:
        found = quality_of(face)
        if found is None:
            return (-len(_GRADES), 0.0)
        return (-_GRADES.index(found.grade), float(face["score"]))

    return max(faces, key=worth, default=None)


def _from(value: float, limits: tuple[float, float]) -> Grade:
    good, fair = limits
    return "good" if value >= good else "fair" if value >= fair else "poor"


def _up_to(value: float, limits: tuple[float, float]) -> Grade:
    good, fair = limits
    return "good" if value <= good else "fair" if value <= fair else "poor"
