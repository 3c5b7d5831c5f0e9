"""What `people import` reads from a folder or a CSV."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.people.sources import read_source
from services.errors import SettingsError


def folder_with(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    return folder


def test_a_folder_is_read_like_people_dir(tmp_path: Path) -> None:
    folder_with(tmp_path, "Sam/2.png", "Sam/1.jpg", "Ann Lee.JPEG", ".hidden.jpg", "Sam/.x.jpg",
                "list.txt", "Sam/notes.txt")  # fmt: skip
    people = {someone.name: someone.photos for someone in read_source(tmp_path)}
    assert people == {
        "Sam": [tmp_path / "Sam" / "1.jpg", tmp_path / "Sam" / "2.png"],
        "Ann Lee": [tmp_path / "Ann Lee.JPEG"],
    }


def test_pictures_that_cannot_be_read_are_sent_all_the_same_to_be_refused_aloud(
    tmp_path: Path,
) -> None:
    folder_with(tmp_path, "Sam/1.HEIC")
    assert read_source(tmp_path)[0].photos == [tmp_path / "Sam" / "1.HEIC"]


def test_a_csv_has_names_paths_from_its_own_folder_and_notes(tmp_path: Path) -> None:
    path = tmp_path / "staff.csv"
    path.write_text(
        "\ufeffName, Path, notes\n"
        "Sam,photos/1.jpg,front desk\n"
        "\n"
        '"Lee, Ann",/abs/ann.png\n'
        "Sam,photos/2.jpg\n"
        "Sam,photos/1.jpg\n",
        encoding="utf-8",
    )
    sam, ann = read_source(path)
    assert (sam.name, sam.notes) == ("Sam", "front desk")
    assert sam.photos == [tmp_path / "photos/1.jpg", tmp_path / "photos/2.jpg"]
    assert (ann.name, ann.photos, ann.notes) == ("Lee, Ann", [Path("/abs/ann.png")], "")


def test_a_csv_without_a_heading_loses_no_one(tmp_path: Path) -> None:
    path = tmp_path / "staff.csv"
    path.write_text("Sam,1.jpg\n")
    assert [someone.name for someone in read_source(path)] == ["Sam"]


@pytest.mark.parametrize("line", ["Sam", ",1.jpg", "Sam,", "Sam,1.jpg,notes,more"])
def test_a_line_that_says_too_little_or_too_much_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "staff.csv"
    path.write_text(f"Ann,2.jpg\n{line}\n")
    with pytest.raises(SettingsError, match=r"staff\.csv:2: wants name,path"):
        read_source(path)


def test_what_is_neither_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_source(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="no photos in it"):
        read_source(tmp_path)
    binary = tmp_path / "photo.jpg"
    binary.write_bytes(b"\xff\xd8\xff\xe0" * 50)
    with pytest.raises(SettingsError, match="neither a folder nor a CSV"):
        read_source(binary)
