"""`facestream people`, `sightings`, `unknowns`, `explain` against a real API on a real database."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fastapi import FastAPI

from identifier.api.guard import Access, Guard
from identifier.api.people import people_routes
from identifier.api.problems import handle_problems
from identifier.api.server import ApiServer
from identifier.enrolment import Enroller
from identifier.gallery.database import Database, sqlite_url
from identifier.gallery.recognisers import Recognisers
from identifier.gallery.reembedding import Reembedding
from identifier.gallery.store import GalleryStore
from identifier.gallery.watcher import GalleryWatcher
from identifier.people import People
from services.cli.people import command
from services.errors import FacestreamError, SettingsError
from services.lifecycle.health import Health
from tests.integration.identifier.conftest import analyser, enroller

__all__ = ["analyser", "enroller"]

TOKEN = "correct horse battery staple"


@pytest.fixture
def identifier(
    enroller: Enroller, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[str]:
    """An identifier's API with a token; the environment says where it is and what the token is."""
    with ExitStack() as at_exit:
        database = Database(sqlite_url(tmp_path / "gallery"))
        at_exit.callback(database.close)
        store = GalleryStore(database)
        people = People(store, GalleryWatcher(store, Health()), enroller)
        reembedding = Reembedding(Recognisers(database), enroller, "buffalo_s", Health())
        app = FastAPI()
        handle_problems(app)
        app.include_router(people_routes(people, reembedding))
        access = Access.on_loopback("127.0.0.1", TOKEN, 21_000_000)
        app.add_middleware(Guard, access=access)
        server = ApiServer(app, "127.0.0.1", 0)
        server.start()
        at_exit.callback(server.stop)
        address = f"http://127.0.0.1:{server.port}"
        monkeypatch.setenv("IDENTIFIER_URL", address)
        monkeypatch.setenv("IDENTIFIER_TOKEN", TOKEN)
        monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
        yield address


@pytest.fixture
def portrait(test_data: Path) -> Path:
    return test_data / "clip_hamilton" / "ref" / "lin_manuel_miranda.png"


@pytest.fixture
def train(test_data: Path) -> Path:
    return test_data / "pach_seed" / "train"


def people(*arguments: str | Path) -> int:
    return command.main([str(argument) for argument in arguments])


Said = pytest.CaptureFixture[str]


def test_someone_is_added_listed_shown_and_removed(
    identifier: str, portrait: Path, capsys: Said
) -> None:
    assert people("add", "Lin-Manuel Miranda", portrait) == 0
    assert "enrolled as Lin-Manuel Miranda (lin-manuel-miranda): face" in capsys.readouterr().out
    assert people("add", "lin-manuel miranda", portrait) == 0
    assert "known already" in capsys.readouterr().out
    assert people("list") == 0
    listed = capsys.readouterr().out
    assert "Lin-Manuel Miranda" in listed
    assert "1 person" in listed
    assert people("show", "LIN-MANUEL MIRANDA") == 0
    shown = capsys.readouterr().out
    assert "slug        lin-manuel-miranda" in shown
    assert "buffalo_s" in shown
    assert people("remove", "Lin-Manuel Miranda") == 0
    assert "removed, with 1 photo" in capsys.readouterr().out
    assert people("list") == 0
    assert capsys.readouterr().out == "nobody is enrolled\n"


def test_a_person_is_renamed_noted_and_given_a_threshold_of_their_own(
    identifier: str, portrait: Path, capsys: Said
) -> None:
    people("add", "Lin", portrait)
    assert people("rename", "lin", "Lin-Manuel Miranda") == 0
    assert people("notes", "Lin-Manuel Miranda", "wrote Hamilton") == 0
    assert people("threshold", "lin", "0.45") == 0
    capsys.readouterr()
    people("list", "--search", "miranda", "--json")
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["slug"], found["name"]) == ("lin", "Lin-Manuel Miranda")
    assert (found["notes"], found["threshold"]) == ("wrote Hamilton", 0.45)
    assert people("threshold", "lin", "default") == 0
    assert "from the default on" in capsys.readouterr().out
    people("list", "--search", "nobody of that name")
    assert capsys.readouterr().out == "nobody is called that\n"


def test_a_photo_that_looks_like_somebody_else_warns_and_the_two_can_be_merged(
    identifier: str, train: Path, capsys: Said
) -> None:
    people("add", "Donald", train / "faces1" / "trump1.jpg")
    assert people("add", "Don", train / "faces1" / "trump2.jpg") == 0
    assert "warning: looks like Donald (donald) too: similarity" in capsys.readouterr().err
    assert people("merge", "Don", "Donald") == 0
    assert "Don is Donald now" in capsys.readouterr().out
    people("list", "--json")
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["faces"]) == ("Donald", 2)
    with pytest.raises(FacestreamError, match="nobody called Don; is it one of: Donald"):
        people("show", "Don")


def test_a_refused_photo_is_named_with_its_reason_and_the_others_are_taken(
    identifier: str, portrait: Path, test_data: Path, tmp_path: Path, capsys: Said
) -> None:
    scene = test_data / "det_cmumit" / "nonface" / "golf_course_sun_babrwpwsaeessjtj.jpg"
    assert people("add", "Lin", scene, tmp_path / "nowhere.jpg", portrait) == 1
    said = capsys.readouterr()
    assert f"{scene}: refused: no face" in said.err
    assert "nowhere.jpg: No such file" in said.err
    assert "enrolled as Lin" in said.out


def test_a_folder_is_imported_once_and_the_second_run_sends_nothing(
    identifier: str, train: Path, portrait: Path, tmp_path: Path, capsys: Said
) -> None:
    folder, refused = tmp_path / "people", tmp_path / "refused.csv"
    shutil.copytree(train / "faces1", folder / "Donald")
    shutil.copytree(train / "faces2", folder / "Hillary")
    shutil.copy(portrait, folder / "Lin.png")
    (folder / "Lin.heic").write_bytes(bytes(4) + b"ftypheic" + bytes(100))
    assert people("import", folder, "--jobs", "2", "--refused", refused) == 1
    said = capsys.readouterr().out
    assert "7 photos enrolled, 0 known to the identifier, 0 done in an earlier run, 1 ref" in said
    assert "HEIC is not read" in said
    assert "Lin.heic,unsupported-format,HEIC" in refused.read_text()

    (folder / "Lin.heic").unlink()
    assert people("import", folder) == 0
    assert "0 photos enrolled, 0 known to the identifier, 7 done" in capsys.readouterr().out

    assert people("remove", "Hillary") == 0
    assert people("import", folder) == 0
    assert "3 photos enrolled, 0 known to the identifier, 4 done" in capsys.readouterr().out

    assert people("import", folder, "--journal", tmp_path / "another") == 0
    assert "0 photos enrolled, 7 known to the identifier, 0 done" in capsys.readouterr().out


def test_an_import_that_loses_the_identifier_says_how_to_go_on(
    identifier: str, train: Path, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert people("import", train) == 0
    capsys.readouterr()
    monkeypatch.setenv("IDENTIFIER_TOKEN", "another token")
    with pytest.raises(FacestreamError, match="is not the API_TOKEN"):
        people("import", train, "--journal", tmp_path / "another")
    said = capsys.readouterr()
    assert "6 photos left: run the same command again to go on" in said.err


def test_a_csv_is_imported_with_paths_from_its_own_folder(
    identifier: str, train: Path, tmp_path: Path, capsys: Said
) -> None:
    shutil.copy(train / "faces1" / "trump1.jpg", tmp_path / "t.jpg")
    (tmp_path / "staff.csv").write_text("name,path\nDonald,t.jpg,at the door\nNobody,gone.jpg\n")
    assert people("import", tmp_path / "staff.csv") == 1
    said = capsys.readouterr().out
    assert "1 photo enrolled" in said
    assert "No such file" in said
    people("list", "--json")
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["notes"]) == ("Donald", "at the door")


def test_erase_asks_on_a_terminal_only(
    identifier: str, portrait: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    people("add", "Lin", portrait)
    with (tmp_path / "typed").open("w+") as typed:
        monkeypatch.setattr(sys, "stdin", typed)
        with pytest.raises(SettingsError, match="--yes"):
            people("erase", "Lin")
    assert people("show", "Lin") == 0


def test_what_is_typed_wrong_is_one_line_that_leads_to_the_help() -> None:
    for arguments in (
        [],
        ["ad"],
        ["add"],
        ["import", "x", "--jobs", "0"],
        ["list", "--limit", "x"],
    ):
        with pytest.raises(SettingsError, match="--help") as raised:
            people(*arguments)
        assert "\n" not in str(raised.value)
    with pytest.raises(SettingsError, match="a threshold is a number"):
        people("threshold", "Sam", "high")
    with pytest.raises(SettingsError, match="whom to look for"):
        people("backfill")
