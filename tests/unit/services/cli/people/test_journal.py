"""What an import remembers of itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.cli.people.journal import Journal, Line, forget
from services.errors import SettingsError


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "sam.jpg"
    path.write_bytes(b"photo")
    return path


def line_of(photo: Path, slug: str = "sam") -> Line:
    status = photo.stat()
    return Line(
        name="Sam",
        slug=slug,
        path=str(photo),
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
    )


def test_what_was_written_is_found_by_the_next_run(tmp_path: Path, photo: Path) -> None:
    path = tmp_path / "journals" / "one.jsonl"
    Journal(path).write(line_of(photo))
    journal = Journal(path)
    assert journal.find("Sam", photo) == line_of(photo)
    assert journal.find("Ann", photo) is None
    assert (len(journal), journal.photos()["sam"]) == (1, 1)


def test_a_file_that_changed_or_went_is_not_the_one_that_was_sent(
    tmp_path: Path, photo: Path
) -> None:
    journal = Journal(tmp_path / "one.jsonl")
    journal.write(line_of(photo))
    os.utime(photo, ns=(1, 1))
    assert journal.find("Sam", photo) is None
    photo.unlink()
    assert journal.find("Sam", photo) is None


def test_a_line_cut_off_by_a_crash_costs_that_line_only(tmp_path: Path, photo: Path) -> None:
    path = tmp_path / "one.jsonl"
    Journal(path).write(line_of(photo))
    with path.open("a") as file:
        file.write('{"name": "Ann", "sl')
    assert len(Journal(path)) == 1


def test_another_identifier_and_another_source_have_a_journal_of_their_own(
    tmp_path: Path, photo: Path
) -> None:
    Journal.of(tmp_path, "http://a", photo).write(line_of(photo))
    assert len(Journal.of(tmp_path, "http://a", photo)) == 1
    assert len(Journal.of(tmp_path, "http://b", photo)) == 0
    assert len(Journal.of(tmp_path, "http://a", tmp_path)) == 0


def test_a_journal_that_cannot_be_written_stops_the_import(tmp_path: Path, photo: Path) -> None:
    journal = Journal(photo / "below-a-file.jsonl")
    with pytest.raises(SettingsError, match=r"below-a-file\.jsonl"):
        journal.write(line_of(photo))


def test_an_erased_person_is_in_no_journal_any_more(tmp_path: Path, photo: Path) -> None:
    folder = tmp_path / "journals"
    one, other = Journal.of(folder, "http://a", photo), Journal.of(folder, "http://b", photo)
    one.write(line_of(photo))
    other.write(line_of(photo))
    other.write(line_of(photo, slug="ann").model_copy(update={"name": "Ann"}))
    forget(folder, "sam")
    texts = [path.read_text() for path in folder.iterdir()]
    assert len(texts) == 2
    assert "sam" not in "".join(texts).replace("sam.jpg", "")
    assert Journal.of(folder, "http://b", photo).find("Ann", photo) is not None
    forget(tmp_path / "no journals yet", "sam")
