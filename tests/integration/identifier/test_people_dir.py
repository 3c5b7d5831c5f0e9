"""PEOPLE_DIR: what appears is enrolled, what disappears is removed, the rest is left alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog import wrap_logger
from structlog.testing import LogCapture

from identifier.gallery.values import PersonChange
from identifier.people import People
from identifier.people_dir import PeopleDir
from services.lifecycle.health import Health
from tests.waiting import eventually

MAX_BYTES = 20_971_520


@pytest.fixture
def portraits(test_data: Path) -> Path:
    return test_data / "clip_hamilton" / "ref"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "people"
    path.mkdir()
    return path


@pytest.fixture
def watched(folder: Path, sqlite_people: People) -> PeopleDir:
    return PeopleDir(folder, sqlite_people, Health(), max_bytes=MAX_BYTES, poll_s=0.1)


@pytest.fixture
def enrolled(sqlite_people: People) -> Callable[[], dict[str, int]]:
    """Photos by person, as the gallery has them now."""
    return lambda: {person.name: person.photos for person in sqlite_people.store.people()}


def put(photo: Path, target: Path) -> Path:
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(photo, target)
    return target


def test_photos_in_a_folder_per_person_and_beside_it_are_enrolled(
    watched: PeopleDir, folder: Path, portraits: Path, enrolled: Callable[[], dict[str, int]]
) -> None:
    put(portraits / "lin_manuel_miranda.png", folder / "Lin-Manuel Miranda" / "1.png")
    put(portraits / "alex_lacamoire.png", folder / "Alex.PNG")
    (folder / "notes.txt").write_text("not a photo")
    (folder / ".hidden.png").write_bytes(b"")
    watched.look()
    assert enrolled() == {"Lin-Manuel Miranda": 1, "Alex": 1}


def test_a_second_look_and_a_second_start_change_nothing(
    watched: PeopleDir, folder: Path, portraits: Path, sqlite_people: People
) -> None:
    put(portraits / "alex_lacamoire.png", folder / "Alex.png")
    watched.look()
    version = sqlite_people.version
    watched.look()
    PeopleDir(folder, sqlite_people, Health(), max_bytes=MAX_BYTES, poll_s=1).look()
    assert sqlite_people.version == version


def test_a_removed_photo_takes_its_reference_along_and_the_last_one_the_person(
    watched: PeopleDir, folder: Path, portraits: Path, enrolled: Callable[[], dict[str, int]]
) -> None:
    first = put(portraits / "alex_lacamoire.png", folder / "Alex" / "1.png")
    second = put(portraits / "lin_manuel_miranda.png", folder / "Alex" / "2.png")
    watched.look()
    assert enrolled() == {"Alex": 2}
    second.unlink()
    watched.look()
    assert enrolled() == {"Alex": 1}
    first.unlink()
    watched.look()
    assert enrolled() == {}


def test_a_photo_removed_while_nobody_watched_goes_at_the_next_start(
    watched: PeopleDir,
    folder: Path,
    portraits: Path,
    sqlite_people: People,
    enrolled: Callable[[], dict[str, int]],
) -> None:
    put(portraits / "alex_lacamoire.png", folder / "Alex.png")
    watched.look()
    (folder / "Alex.png").unlink()
    PeopleDir(folder, sqlite_people, Health(), max_bytes=MAX_BYTES, poll_s=1).look()
    assert enrolled() == {}


def test_an_upload_stays_whatever_happens_in_the_folder(
    watched: PeopleDir,
    folder: Path,
    portraits: Path,
    sqlite_people: People,
    enrolled: Callable[[], dict[str, int]],
) -> None:
    photo = portraits / "alex_lacamoire.png"
    sqlite_people.enrol("Alex", photo.read_bytes())
    put(photo, folder / "Alex.png")
    watched.look()
    (folder / "Alex.png").unlink()
    watched.look()
    assert enrolled() == {"Alex": 1}


def test_the_same_photo_twice_in_a_folder_is_one_and_stays_while_one_file_does(
    watched: PeopleDir, folder: Path, portraits: Path, enrolled: Callable[[], dict[str, int]]
) -> None:
    one = put(portraits / "alex_lacamoire.png", folder / "Alex" / "1.png")
    two = put(portraits / "alex_lacamoire.png", folder / "Alex" / "2.png")
    watched.look()
    assert enrolled() == {"Alex": 1}
    one.unlink()
    watched.look()
    assert enrolled() == {"Alex": 1}
    two.unlink()
    watched.look()
    assert enrolled() == {}


def test_somebody_renamed_or_merged_keeps_the_folder_of_the_old_name(
    watched: PeopleDir,
    folder: Path,
    portraits: Path,
    sqlite_people: People,
    enrolled: Callable[[], dict[str, int]],
) -> None:
    put(portraits / "alex_lacamoire.png", folder / "Alex" / "1.png")
    put(portraits / "lin_manuel_miranda.png", folder / "Lin.png")
    watched.look()
    sqlite_people.change("alex", PersonChange(name="Alexander"))
    sqlite_people.merge("lin", "alex")
    assert enrolled() == {"Alexander": 2}
    put(portraits / "lin_manuel_miranda.png", folder / "Alex" / "2.png")
    for folder_of_today in (
        watched,
        PeopleDir(folder, sqlite_people, Health(), max_bytes=MAX_BYTES, poll_s=1),
    ):
        folder_of_today.look()
        assert enrolled() == {"Alexander": 2}
    (folder / "Lin.png").unlink()
    watched.look()
    assert enrolled() == {"Alexander": 1}


def test_a_replaced_photo_replaces_the_reference(
    watched: PeopleDir, folder: Path, portraits: Path, sqlite_people: People
) -> None:
    file = put(portraits / "alex_lacamoire.png", folder / "Alex.png")
    watched.look()
    before = sqlite_people.store.person("alex")
    put(portraits / "lin_manuel_miranda.png", file)
    watched.look()
    after = sqlite_people.store.person("alex")
    assert before is not None
    assert after is not None
    assert len(after.photos) == 1
    assert after.photos[0].sha256 != before.photos[0].sha256


def test_a_photo_that_cannot_be_used_is_logged_once_and_the_others_are_enrolled(
    watched: PeopleDir,
    folder: Path,
    portraits: Path,
    enrolled: Callable[[], dict[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged = LogCapture()
    monkeypatch.setattr("identifier.people_dir.log", wrap_logger(None, processors=[logged]))
    (folder / "Broken.jpg").write_bytes(b"\xff\xd8 half a photo")
    put(portraits / "alex_lacamoire.png", folder / "Alex.png")
    for _ in range(3):
        watched.look()
    assert enrolled() == {"Alex": 1}
    complaints = [entry for entry in logged.entries if entry["photo"] == "Broken.jpg"]
    assert [entry["reason"] for entry in complaints] == ["unreadable"]


def test_a_file_still_being_written_is_read_again_when_it_has_changed(
    watched: PeopleDir, folder: Path, portraits: Path, enrolled: Callable[[], dict[str, int]]
) -> None:
    whole = (portraits / "alex_lacamoire.png").read_bytes()
    file = folder / "Alex.png"
    file.write_bytes(whole[: len(whole) // 2])
    os.utime(file, ns=(1, 1))
    watched.look()
    assert enrolled() == {}
    file.write_bytes(whole)
    watched.look()
    assert enrolled() == {"Alex": 1}


def test_a_folder_that_is_not_there_removes_nobody_and_health_says_so(
    folder: Path,
    portraits: Path,
    sqlite_people: People,
    enrolled: Callable[[], dict[str, int]],
) -> None:
    health = Health()
    put(portraits / "alex_lacamoire.png", folder / "Alex.png")
    watched = PeopleDir(folder, sqlite_people, health, max_bytes=MAX_BYTES, poll_s=0.1)
    assert not health.is_ready
    watched.start()
    try:
        eventually(lambda: health.is_ready, 60, "the folder was read")
        assert enrolled() == {"Alex": 1}
        folder.rename(folder.with_name("elsewhere"))
        eventually(lambda: not health.is_ready, 60, "health says that the folder is away")
        assert enrolled() == {"Alex": 1}
        folder.with_name("elsewhere").rename(folder)
        eventually(lambda: health.is_ready, 60, "the folder is back")
        assert enrolled() == {"Alex": 1}
    finally:
        watched.stop()
