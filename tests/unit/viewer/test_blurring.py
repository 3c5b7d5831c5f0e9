from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.records.jpeg import Image
from viewer.blurring import blur_all, blur_heads


def noise(seed: int = 1, width: int = 160, height: int = 90) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def shuffled_within_cells(region: Image, cells: tuple[int, int]) -> None:
    """Give every pixel of a cell another place in it, in place."""
    rng = np.random.default_rng(2)
    tall, wide = region.shape[0] // cells[1], region.shape[1] // cells[0]
    for top in range(0, region.shape[0], tall):
        for left in range(0, region.shape[1], wide):
            cell = region[top : top + tall, left : left + wide]
            cell[:] = rng.permutation(cell.reshape(-1, 3)).reshape(cell.shape)


def test_of_a_head_only_the_means_of_twelve_cells_are_left() -> None:
    one = noise()
    other = one.copy()
    # A box of 40 x 40 at (60, 20) is a head of 60 x 60 at (50, 10).
    shuffled_within_cells(other[10:70, 50:110], (3, 4))
    assert (one != other).any()
    for image in (one, other):
        blur_heads(image, [(60, 20, 40, 40)], (160, 90))
    assert (one == other).all()


def test_hair_and_chin_are_blurred_with_the_face_and_nothing_else_is() -> None:
    before = noise()
    image = before.copy()
    blur_heads(image, [(60, 20, 40, 40)], (160, 90))
    changed = (image != before).any(axis=2)
    assert changed[10:70, 50:110].mean() > 0.95
    changed[10:70, 50:110] = False
    assert not changed.any()


def test_in_a_smaller_copy_it_lies_where_the_head_is() -> None:
    before = noise()
    image = before.copy()
    blur_heads(image, [(120, 40, 80, 80)], (320, 180))
    changed = (image != before).any(axis=2)
    assert changed[10:70, 50:110].mean() > 0.95
    assert not changed[:, 112:].any()


def test_edges_do_not_show_through() -> None:
    image = np.zeros((90, 160, 3), np.uint8)
    image[:, ::2] = 255
    blur_heads(image, [(60, 20, 40, 40)], (160, 90))
    steps = np.abs(np.diff(image[10:70, 50:110].astype(int), axis=1))
    assert steps.max() < 10


@pytest.mark.parametrize("count", [0, 1, 3])
def test_every_head_is_blurred(count: int) -> None:
    before = noise()
    image = before.copy()
    boxes = [(10.0 + 50 * number, 30.0, 20.0, 20.0) for number in range(count)]
    blur_heads(image, boxes, (160, 90))
    for number in range(3):
        left = 10 + 50 * number
        same = (image[30:50, left : left + 20] == before[30:50, left : left + 20]).all()
        assert same == (number >= count)


def test_a_whole_picture_can_be_blurred() -> None:
    image = noise()
    blur_all(image)
    assert np.abs(np.diff(image.astype(int), axis=1)).max() < 40


numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)


@settings(max_examples=100, deadline=None)
@given(st.tuples(numbers, numbers, numbers, numbers))
def test_a_box_anywhere_even_outside_the_picture_does_no_harm(
    box: tuple[float, float, float, float],
) -> None:
    blur_heads(noise(), [box], (160, 90))
