"""What the pages about people work out by themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewer.pages.enrolling import address, is_heic, sentence
from viewer.pages.face_crops import SIDE_PX, FaceCrops, face_crop
from viewer.pages.person import default_threshold, is_same_name, threshold_of
from viewer.pages.photo_quality import best_face, quality_of
from viewer.pages.unknown import numbers_of, what_naming_came_to
from viewer.texts import Texts

VIEWER = Path(__file__).parents[3] / "viewer"
GOOD = {
    "id": "1",
    "box": {"x": 10.0, "y": 10.0, "width": 120.0, "height": 150.0},
    "score": 0.8,
    "sharpness": 150.0,
    "pose": {"yaw": 4.0, "pitch": -9.0, "roll": 1.0},
}


def with_(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


@pytest.mark.parametrize(
    ("face", "grade", "worst"),
    [
        (GOOD, "good", ()),
        (with_(box={"x": 0, "y": 0, "width": 60, "height": 90}), "fair", ("size",)),
        (with_(box={"x": 0, "y": 0, "width": 30, "height": 90}), "poor", ("size",)),
        (with_(sharpness=12.0), "fair", ("sharpness",)),
        (with_(sharpness=4.0, score=0.55), "poor", ("sharpness", "score")),
        (with_(pose={"yaw": -65.0, "pitch": 45.0, "roll": 0.0}), "poor", ("yaw", "pitch")),
        (with_(sharpness=None, pose=None), "good", ()),
    ],
)
def test_a_photo_is_worth_as_much_as_its_worst_figure(
    face: dict[str, Any], grade: str, worst: tuple[str, ...]
) -> None:
    found = quality_of(face)
    assert found is not None
    assert (found.grade, found.worst) == (grade, worst)


def test_figures_have_their_units() -> None:
    found = quality_of(GOOD)
    assert found is not None
    assert {figure.key: figure.value for figure in found.figures} == {
        "size": "120 px",
        "score": "0.80",
        "sharpness": "150",
        "yaw": "+4°",
        "pitch": "-9°",
    }


def test_a_photo_that_no_model_has_read_has_no_grade() -> None:
    assert quality_of(with_(box=None, score=None)) is None


def test_somebody_is_shown_by_their_best_photo() -> None:
    unread = with_(id="0", box=None, score=None)
    blurred, surer = with_(id="2", sharpness=3.0, score=0.99), with_(id="3", score=0.9)
    assert best_face([unread, blurred, GOOD, surer]) is surer
    assert best_face([unread]) is unread
    assert best_face([]) is None


def photo(width: int, height: int, face_px: tuple[int, int, int, int], ext: str = ".jpg") -> bytes:
    """A grey photo with a white face."""
    image = np.full((height, width, 3), 60, np.uint8)
    x, y, face_width, face_height = face_px
    image[y : y + face_height, x : x + face_width] = 255
    made, data = cv2.imencode(ext, image)
    assert made
    return data.tobytes()


@pytest.mark.parametrize("ext", [".jpg", ".png"])
@pytest.mark.parametrize(
    ("size", "face_px"),
    [
        ((400, 300), (100, 80, 60, 80)),
        ((4_000, 3_000), (2_900, 300, 1_000, 1_200)),
        ((300, 3_000), (0, 2_900, 90, 100)),
    ],
)
def test_a_face_is_cut_out_square_wherever_it_is_in_the_photo(
    size: tuple[int, int], face_px: tuple[int, int, int, int], ext: str
) -> None:
    box = tuple(map(float, face_px))
    jpeg = face_crop(photo(*size, face_px, ext), size[0], (box[0], box[1], box[2], box[3]))
    assert jpeg is not None
    cut = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert cut is not None
    assert cut.shape == (SIDE_PX, SIDE_PX)
    white = float((cut > 200).mean())
    assert 0.1 < white < 0.6


def test_without_a_box_the_middle_is_shown_and_what_is_no_picture_is_not() -> None:
    jpeg = face_crop(photo(300, 200, (100, 50, 100, 100)), 300, None)
    assert jpeg is not None
    assert face_crop(b"no picture", 300, None) is None
    assert face_crop(b"", 300, (0, 0, 10, 10)) is None


def test_crops_are_kept_by_the_id_of_the_face() -> None:
    crops = FaceCrops()
    face = {**GOOD, "width": 400}
    assert crops.kept("1") is None
    jpeg = crops.cut(face, photo(400, 300, (10, 10, 120, 150)))
    assert jpeg is not None
    assert crops.kept("1") == jpeg


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (("people", "Sam Doe"), "/people/Sam%20Doe"),
        (("people", "a/b?c#d", "faces"), "/people/a%2Fb%3Fc%23d/faces"),
        (("people", ".."), "/people/%2E%2E"),
        (("people", "Ünal"), "/people/%C3%9Cnal"),
    ],
)
def test_no_name_leads_to_another_path_of_the_identifier(parts: tuple[str, ...], path: str) -> None:
    assert address(*parts) == path


@given(st.text(min_size=1))
def test_an_address_has_as_many_parts_as_it_was_made_of(name: str) -> None:
    assert address("people", name, "faces").count("/") == 3


@pytest.mark.parametrize(
    ("data", "heic"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", True),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", True),
        (b"\0\0\0\x18ftypisom\0\0\0\0", False),
        (b"\xff\xd8\xff\xe0", False),
        (b"", False),
    ],
)
def test_photos_as_iphones_take_them_are_known(data: bytes, heic: bool) -> None:
    assert is_heic(data) is heic


def test_words_of_the_identifier_become_sentences() -> None:
    assert sentence("the face is 31.5 pixels") == "The face is 31.5 pixels."
    assert sentence("Done.") == "Done."
    assert sentence("") == "."


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.4", 0.4), (" 0,41 ", 0.41), ("-1", -1.0), ("2", None), ("nan", None), ("", None)],
)
def test_a_threshold_is_a_number_from_minus_one_to_one(text: str, value: float | None) -> None:
    assert threshold_of(text) == value


def test_the_default_threshold_is_the_identifier_s_or_that_of_its_models() -> None:
    assert default_threshold({"pack": "buffalo_s", "threshold": 0.4}) == 0.4
    assert default_threshold({"pack": "buffalo_s"}) == pytest.approx(0.33)
    assert default_threshold({"pack": "somebody’s own"}) is None


def test_a_name_is_typed_as_people_type() -> None:
    assert is_same_name("  lin-manuel   MIRANDA ", "Lin-Manuel Miranda")
    assert not is_same_name("Lin", "Lin-Manuel Miranda")
    assert not is_same_name("", "Lin")


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["7", "3", "7"], [7, 3]),
        (["", "-1", "0", "x", "1e3", "²", "99999999999"], []),
        (["2147483647", "2147483648"], [2_147_483_647]),
    ],
)
def test_numbers_are_taken_once_and_nothing_else_is(texts: list[str], numbers: list[int]) -> None:
    assert numbers_of(texts) == numbers


def test_what_naming_came_to_is_said_in_full() -> None:
    named = {
        "number": 7,
        "person": {"slug": "sam", "name": "Sam"},
        "sightings": 3,
        "references": ["a" * 32],
        "refused": ["the face is blurred"],
    }
    assert what_naming_came_to(named, Texts()) == (
        "Unknown 7 is Sam now: 3 past sightings carry the name. 1 photo was made of the crops. "
        "Not used: The face is blurred."
    )


@pytest.mark.parametrize(
    "file", sorted((VIEWER / "static").glob("*.js")), ids=lambda file: file.name
)
def test_every_text_that_a_script_asks_for_is_there(file: Path) -> None:
    script = file.read_text()
    table = Texts().script.decode()
    for key in re.findall(r'\bt\("([a-z_.0-9]+)"', script):
        assert f'"{key}":' in table, key
