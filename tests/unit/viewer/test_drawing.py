from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.records.jpeg import Image
from tests.unit.viewer.pictures import grey, mark
from viewer.drawing import (
    UNKNOWN,
    Scale,
    colour_of,
    dimmed,
    draw_caption,
    draw_marks,
    face_crop,
    fitted,
    placeholder,
)
from viewer.lettering import Lettering
from viewer.pictures import Mark

LETTERING = Lettering()


def drawn(marks: list[Mark], width: int = 640, height: int = 360) -> Image:
    image = grey(width, height)
    draw_marks(image, marks, (640, 360), LETTERING)
    return image


def has(image: Image, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(image.astype(int) - colour).max(axis=2) < 3).any())


def test_a_known_face_has_its_persons_colour_and_an_unknown_one_another() -> None:
    assert has(drawn([mark("sam", "Sam")]), colour_of("sam"))
    assert has(drawn([mark()]), UNKNOWN)
    assert not has(drawn([mark()]), colour_of("sam"))


def test_the_name_is_written_and_makes_the_picture_another() -> None:
    one, other = drawn([mark("sam", "Sam")]), drawn([mark("sam", "Kim")])
    assert (one != other).any()


def test_names_and_boxes_are_drawn_each_by_itself() -> None:
    nothing, names, boxes = grey(640, 360), grey(640, 360), grey(640, 360)
    marks = [mark("sam", "Sam")]
    draw_marks(nothing, marks, (640, 360), LETTERING, names=False, boxes=False)
    draw_marks(names, marks, (640, 360), LETTERING, boxes=False)
    draw_marks(boxes, marks, (640, 360), LETTERING, names=False)
    assert (nothing == grey(640, 360)).all()
    # The middle of the face's left edge, and the label above its upper one.
    assert has(boxes[90:95, 98:102], colour_of("sam"))
    assert not has(names[90:95, 98:102], colour_of("sam"))
    assert has(names[45:55, 100:140], colour_of("sam"))
    assert not has(boxes[40:50, 100:140], colour_of("sam"))


def test_a_name_that_cannot_be_drawn_gives_way_to_the_slug() -> None:
    assert (drawn([mark("narendra", "नरेन्द्र")]) == drawn([mark("narendra", "narendra")])).all()


def test_the_box_lies_where_the_face_is_in_a_smaller_copy_too() -> None:
    image = drawn([Mark((320, 180, 160, 90), "sam", "Sam", 0.5)], 320, 180)
    assert has(image[90:136, 160:162], colour_of("sam"))
    assert has(image[90:136, 238:242], colour_of("sam"))


@pytest.mark.parametrize(("width", "height"), [(160, 90), (320, 180), (1920, 1080), (4000, 3000)])
def test_lines_and_letters_grow_with_the_picture_and_stay_legible(width: int, height: int) -> None:
    scale = Scale.of(width, height)
    assert scale.line_px >= 2
    assert 13 <= scale.text_px <= width // 8
    assert scale.text_px >= Scale.of(width // 2, height // 2).text_px


numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)


@settings(max_examples=60, deadline=None)
@given(st.tuples(numbers, numbers, numbers, numbers))
def test_a_box_anywhere_even_outside_the_picture_is_drawn_without_harm(
    box: tuple[float, float, float, float],
) -> None:
    drawn([Mark(box, "sam", "Sam", 0.5)], 160, 90)


def test_a_picture_is_made_smaller_never_larger() -> None:
    assert fitted(grey(640, 360), 1920, 320).shape == (180, 320, 3)
    assert fitted(grey(640, 360), 100, 640).shape == (56, 100, 3)
    assert fitted(grey(640, 360), 1920, 4000).shape == (360, 640, 3)


def test_a_dimmed_picture_is_darker_and_grey() -> None:
    image = np.zeros((90, 160, 3), np.uint8)
    image[:] = (40, 90, 200)
    dark = dimmed(image)
    assert dark.max() < 90
    assert (dark[..., 0] == dark[..., 2]).all()
    draw_caption(dark, ["no signal", "since 12:00:00 UTC"], LETTERING)
    assert dark.max() > 200


def test_a_placeholder_says_something() -> None:
    assert placeholder(["waiting for Sam"], LETTERING).max() > 200


@pytest.mark.parametrize("x", [-40.0, 0.0, 300.0, 630.0])
def test_a_face_at_the_edge_is_cropped_to_a_full_square(x: float) -> None:
    crop = face_crop(grey(640, 360), Mark((x, 300, 60, 80), "sam", "Sam", 0.5), (640, 360), 96)
    assert crop.shape == (96, 96, 3)
