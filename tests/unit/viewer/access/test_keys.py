from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.errors import SettingsError
from viewer.access.keys import KEY_FILE, derive, load_key


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with ThreadPoolExecutor(4) as pool:
        keys = set(pool.map(lambda _: load_key(None, folder), range(4)))
    assert len(keys) == 1
    assert load_key(None, folder) in keys
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == [KEY_FILE]
    assert load_key(None, tmp_path / "other") not in keys


def test_a_secret_is_the_same_key_everywhere_and_leaves_no_file(tmp_path: Path) -> None:
    key = load_key("a secret of some length", tmp_path)
    assert len(key) == 32
    assert key == load_key("a secret of some length", tmp_path / "other")
    assert not list(tmp_path.iterdir())
    with pytest.raises(SettingsError, match="VIEWER_SECRET") as refused:
        load_key("too short", tmp_path)
    assert "too short" not in str(refused.value)


def test_without_a_place_for_the_key_there_is_one_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "data"
    assert len(load_key(None, folder)) == 32
    assert load_key(None, folder) != load_key(None, folder)


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"")
    with pytest.raises(SettingsError, match="no key"):
        load_key(None, tmp_path)


def test_keys_for_different_purposes_are_different() -> None:
    assert derive(b"k" * 32, "a") != derive(b"k" * 32, "b")
