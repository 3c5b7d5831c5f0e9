from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from identifier.memory.crops import face_crop
from services.records.jpeg import encode_jpeg, jpeg_size
from tests.integration.identifier.memory.tracks import seen

BEST = seen("a").best


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((200.0, 100.0, 100.0, 120.0), (180, 216)),  # with 40 % around it
        ((-20.0, -30.0, 100.0, 120.0), (120, 138)),  # cut off at the frame's edge
        ((100.0, 60.0, 400.0, 400.0), (320, 240)),  # large: made smaller
    ],
)
def test_a_crop_is_the_face_with_some_of_what_is_around_it(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    frame = encode_jpeg(np.full((480, 640, 3), 90, np.uint8), 90)
    crop = face_crop(replace(BEST, jpeg=frame, box_px=box))
    assert crop is not None
    assert jpeg_size(crop) == pytest.approx(size, abs=1)


@pytest.mark.parametrize(
    ("jpeg", "box"), [(b"", BEST.box_px), (BEST.jpeg, (9_000.0, 9_000.0, 10.0, 10.0))]
)
def test_there_is_no_crop_of_nothing(jpeg: bytes, box: tuple[float, float, float, float]) -> None:
    assert face_crop(replace(BEST, jpeg=jpeg, box_px=box)) is None
