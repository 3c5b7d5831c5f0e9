"""Names on pictures in the scripts people write them in.

OpenCV 5 carries fonts for Latin, Cyrillic, Greek, Hebrew, Chinese, Japanese and Korean; a font
of the user's own adds what it has. OpenCV draws glyph after glyph from left to right, so right-
to-left text is put in visual order here, and Arabic letters are joined with the presentation
forms of Unicode (13.0, 9.2) where the font has them. What cannot be drawn right is not drawn:
`drawable` says so, and the caller shows the slug instead.
"""

from __future__ import annotations

import threading
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from services.errors import SettingsError
from services.records.jpeg import Image

Colour = tuple[int, int, int]
"""Blue, green, red; 0 to 255."""

Form = Literal["isolated", "initial", "medial", "final"]

_WEIGHT = 600
_ELLIPSIS = "…"
_PROBE_PX = 24
_MIRROR = str.maketrans("()[]<>«»", ")(][><»«")
_FONT_MAGIC = (b"\0\1\0\0", b"true", b"OTTO", b"ttcf")
# Scripts whose letters change shape or place with their neighbours beyond what is done here.
_NEEDS_SHAPING = (
    "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA",
    "MALAYALAM", "SINHALA", "KHMER", "MYANMAR", "TIBETAN", "MONGOLIAN", "SYRIAC", "NKO",
)  # fmt: skip


class Lettering:
    """Draws one-line texts with one font; safe to use from any thread.

    Args:
        font: a TrueType file, the built-in sans-serif when None.

    Raises:
        SettingsError: the file is not a font.
    """

    def __init__(self, font: Path | None = None) -> None:
        self._lock = threading.Lock()
        if font is not None:
            _check_font(font)
        self._face = cv2.FontFace(str(font) if font else "sans")
        self._missing = self._raster("\U0010fffd")
        self._has = lru_cache(maxsize=4096)(self._glyph_is_there)

    def drawable(self, text: str) -> bool:
        """Whether every character has a glyph and comes out as its readers write it."""
        return all(self._has(c) for c in visual_order(text) if not c.isspace())

    def width(self, text: str, size_px: int) -> int:
        """Pixels the text takes at a letter height of `size_px`."""
        with self._lock:
            x, _, width, _ = cv2.getTextSize(
                (0, 0), visual_order(text), (0, 0), self._face, size_px, _WEIGHT
            )
        return int(x + width)

    def fit(self, text: str, size_px: int, most_px: int) -> str:
        """The text, shortened with an ellipsis until it takes `most_px` at most."""
        if self.width(text, size_px) <= most_px:
            return text
        while text and self.width(text + _ELLIPSIS, size_px) > most_px:
            text = text[:-1]
        return text.rstrip() + _ELLIPSIS if text else ""

    def draw(
        self, image: Image, text: str, left_baseline: tuple[int, int], size_px: int, colour: Colour
    ) -> None:
        """Draw into `image` (height, width, 3), from the left end of the baseline."""
        with self._lock:
            cv2.putText(
                image, visual_order(text), left_baseline, colour, self._face, size_px, _WEIGHT
            )

    def _glyph_is_there(self, character: str) -> bool:
        name = unicodedata.name(character, "")
        return not name.startswith(_NEEDS_SHAPING) and self._raster(character) != self._missing

    def _raster(self, text: str) -> bytes:
        image = np.zeros((2 * _PROBE_PX, 2 * _PROBE_PX), np.uint8)
        with self._lock:
            cv2.putText(image, text, (4, _PROBE_PX + 8), 255, self._face, _PROBE_PX, 400)
        return image.tobytes()


def _check_font(path: Path) -> None:
    # OpenCV 5.0 does not refuse a file of another kind: it crashes on it.
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise SettingsError(f"LABEL_FONT={path}: {error.strerror}") from None
    if magic not in _FONT_MAGIC:
        raise SettingsError(f"LABEL_FONT={path}: not a TrueType font")


def visual_order(text: str) -> str:
    """The text in the order its glyphs stand from left to right.

    A simplification of UAX #9 for one line without embeddings: the first strong letter gives the
    direction; in a right-to-left line, runs of Latin letters and digits keep their own order.
    """
    if text.isascii() or not any(_right_to_left(c) for c in text):
        return text
    clusters = _clusters(_joined(text))
    strong = [_direction(cluster[0]) for cluster in clusters]
    base = next(direction for direction in strong if direction is not None)
    runs: list[tuple[bool, list[str]]] = []
    before = base
    for at, cluster in enumerate(clusters):
        here = strong[at]
        if here is None:
            after = next((later for later in strong[at:] if later is not None), base)
            here = before if before == after else base
        else:
            before = here
        if runs and runs[-1][0] == here:
            runs[-1][1].append(cluster)
        else:
            runs.append((here, [cluster]))
    ordered = reversed(runs) if base else runs
    return "".join(_mirrored(run) if rtl else "".join(run) for rtl, run in ordered)


def _mirrored(run: list[str]) -> str:
    return "".join(reversed(run)).translate(_MIRROR)


def _direction(character: str) -> bool | None:
    """True for right to left, False for left to right, None for what follows its neighbours."""
    kind = unicodedata.bidirectional(character)
    if kind in ("R", "AL"):
        return True
    return False if kind in ("L", "EN", "AN") else None


def _right_to_left(character: str) -> bool:
    return unicodedata.bidirectional(character) in ("R", "AL")


def _clusters(text: str) -> list[str]:
    clusters: list[str] = []
    for character in text:
        if clusters and unicodedata.combining(character):
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters


def _joined(text: str) -> str:
    """Arabic letters replaced by the form they take beside their neighbours."""
    forms = _presentation_forms()
    letters = [c for c in text if not unicodedata.combining(c)]
    shaped: list[str] = []
    for at, letter in enumerate(letters):
        own = forms.get(letter)
        if own is None:
            shaped.append(letter)
            continue
        before = forms.get(letters[at - 1], {}) if at else {}
        after = forms.get(letters[at + 1], {}) if at + 1 < len(letters) else {}
        joins_before = "initial" in before and "final" in own
        joins_after = "initial" in own and "final" in after
        form: Form = (
            ("medial" if joins_after else "final")
            if joins_before
            else ("initial" if joins_after else "isolated")
        )
        shaped.append(own.get(form, letter))
    return "".join(shaped)


@cache
def _presentation_forms() -> dict[str, dict[Form, str]]:
    forms: dict[str, dict[Form, str]] = {}
    names: dict[str, Form] = {
        "<isolated>": "isolated", "<initial>": "initial", "<medial>": "medial", "<final>": "final",
    }  # fmt: skip
    for code in (*range(0xFB50, 0xFBFF), *range(0xFE80, 0xFEF5)):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and parts[0] in names:
            forms.setdefault(chr(int(parts[1], 16)), {})[names[parts[0]]] = chr(code)
    return forms
