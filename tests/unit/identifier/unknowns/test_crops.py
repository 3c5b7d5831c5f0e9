"""The middle of a crop."""

from __future__ import annotations

import numpy as np
import pytest

from identifier.unknowns.crops import middle_of
from services.records.jpeg import decode_jpeg, encode_jpeg


def test_the_middle_is_six_tenths_of_each_side() -> None:
    crop = np.zeros((100, 200, 3), np.uint8)
    crop[20:80, 40:160] = 255
    middle = middle_of(encode_jpeg(crop, 95))
    assert middle is not None
    pixels = decode_jpeg(middle, max_bytes=100_000, max_pixels=100_000)
    assert pixels.shape == (60, 120, 3)
    assert pixels.min() > 240


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (3, 1)])
def test_even_the_smallest_picture_has_a_middle(size: tuple[int, int]) -> None:
    assert middle_of(encode_jpeg(np.zeros((*size, 3), np.uint8), 95))


def test_what_is_no_picture_has_none() -> None:
    assert middle_of(b"no jpeg") is None
