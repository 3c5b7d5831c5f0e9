from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.models import main
from services.errors import ModelError
from services.models.install import InstalledPack


def test_list_names_every_pack_its_licence_and_whether_it_is_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", "--models-dir", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for word in ("buffalo_s: not installed", "buffalo_l", "antelopev2", "non-commercial"):
        assert word in shown


def test_pull_shows_the_licence_once_and_verify_agrees(
    buffalo_s: InstalledPack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    local = ["--models-dir", str(tmp_path), "--models-path", str(buffalo_s.detector.path.parent)]
    assert main(["pull", *local]) == 0
    assert capsys.readouterr().out.count("non-commercial") == 1
    assert main(["pull", *local]) == 0
    shown = capsys.readouterr().out
    assert "already here" in shown
    assert "non-commercial" not in shown
    assert main(["verify", *local]) == 0
    assert "corrupt" not in capsys.readouterr().out


def test_verify_fails_on_a_damaged_file(
    buffalo_s: InstalledPack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    local = ["--models-dir", str(tmp_path), "--models-path", str(buffalo_s.detector.path.parent)]
    main(["pull", *local])
    (tmp_path / "buffalo_s" / "w600k_mbf.onnx").write_bytes(b"damaged")
    capsys.readouterr()
    assert main(["verify", "buffalo_s", *local]) == 1
    assert "corrupt" in capsys.readouterr().out


def test_verify_of_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--models-dir", str(tmp_path)]) == 0
    assert "no model pack is installed" in capsys.readouterr().out


def test_an_unknown_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model pack is called"):
        main(["pull", "buffalo_x", "--models-dir", str(tmp_path)])
