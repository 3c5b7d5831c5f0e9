from __future__ import annotations

from pathlib import Path

import pytest

from services.errors import SettingsError
from tests.unit.viewer.pictures import grey
from viewer.lettering import Lettering, visual_order


@pytest.fixture(scope="module")
def lettering() -> Lettering:
    return Lettering()


@pytest.mark.parametrize(
    "name", ["Miranda", "Łukasz Żółć", "Анна", "Ελένη", "王小明", "山田太郎", "김철수", "שרה"]
)
def test_names_of_many_scripts_are_drawn(lettering: Lettering, name: str) -> None:
    assert lettering.drawable(name)
    image = grey()
    lettering.draw(image, name, (10, 60), 30, (255, 255, 255))
    assert (image == 255).any()


@pytest.mark.parametrize("name", ["नरेन्द्र", "สมชาย", "محمد", "😀"])
def test_what_the_font_cannot_draw_right_is_said_to_be_so(lettering: Lettering, name: str) -> None:
    assert not lettering.drawable(name)


def test_different_letters_look_different(lettering: Lettering) -> None:
    pictures = []
    for name in ("王小明", "王小红"):
        image = grey()
        lettering.draw(image, name, (10, 60), 30, (255, 255, 255))
        pictures.append(image.tobytes())
    assert pictures[0] != pictures[1]


def test_a_text_takes_more_room_in_larger_letters(lettering: Lettering) -> None:
    assert 0 < lettering.width("Miranda", 12) < lettering.width("Miranda", 40)


def test_a_long_name_is_cut_to_the_room_there_is(lettering: Lettering) -> None:
    name = "Maximiliane von Hohenstein-Lichtenberg"
    cut = lettering.fit(name, 20, 150)
    assert cut.endswith("…")
    assert lettering.width(cut, 20) <= 150
    assert lettering.fit("Sam", 20, 150) == "Sam"


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("Sam (2)", "Sam (2)"),
        ("שרה", "הרש"),
        ("שרה 12", "12 הרש"),
        ("Sara שרה 2", "Sara הרש 2"),
        ("שרה Sara 12", "Sara 12 הרש"),
        ("אב (גד)", "(דג) בא"),
    ],
)
def test_right_to_left_names_stand_in_their_readers_order(written: str, seen: str) -> None:
    assert visual_order(written) == seen


def test_arabic_letters_join_their_neighbours() -> None:
    # ain initial, lam medial, yeh final; seen from the left the last letter comes first.
    assert visual_order("علي") == "\ufef2\ufee0\ufecb"
    # reh joins only what is before it: beh after it stands alone.
    assert visual_order("رب") == "\ufe8f\ufead"


def test_a_file_that_is_no_font_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "font.ttf"
    file.write_bytes(b"not a font at all")
    with pytest.raises(SettingsError, match="LABEL_FONT"):
        Lettering(file)
    with pytest.raises(SettingsError, match="LABEL_FONT"):
        Lettering(tmp_path / "missing.ttf")
