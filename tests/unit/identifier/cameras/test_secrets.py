"""Addresses at rest."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from identifier.cameras.secrets import AddressBox, AddressUnreadable
from services.errors import SettingsError

ADDRESS = "rtsp://admin:hush@cam/main"


def test_an_address_is_sealed_and_opened(tmp_path: Path) -> None:
    box = AddressBox(None, tmp_path / "data" / "camera.key")
    sealed = box.seal(ADDRESS)
    assert "hush" not in sealed
    assert box.seal(ADDRESS) != sealed
    assert box.open(sealed) == ADDRESS


def test_the_key_is_made_once_for_its_owner_alone_and_found_again(tmp_path: Path) -> None:
    file = tmp_path / "camera.key"
    sealed = AddressBox(None, file).seal(ADDRESS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert AddressBox(None, file).open(sealed) == ADDRESS
    assert [path.name for path in tmp_path.iterdir()] == ["camera.key"]


def test_identifiers_that_begin_at_once_have_one_key(tmp_path: Path) -> None:
    boxes = [AddressBox(None, tmp_path / "camera.key") for _ in range(8)]
    sealed: list[str] = []
    threads = [threading.Thread(target=lambda b=b: sealed.append(b.seal(ADDRESS))) for b in boxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(sealed) == 8
    assert {box.open(text) for box in boxes for text in sealed} == {ADDRESS}


def test_nothing_is_written_until_an_address_is(tmp_path: Path) -> None:
    AddressBox(None, tmp_path / "camera.key")
    assert list(tmp_path.iterdir()) == []


def test_another_key_cannot_open_it_and_says_what_to_do(tmp_path: Path) -> None:
    sealed = AddressBox(None, tmp_path / "camera.key").seal(ADDRESS)
    other = AddressBox(Fernet.generate_key().decode(), tmp_path / "unused")
    assert not other.can_open(sealed)
    with pytest.raises(AddressUnreadable, match="CAMERA_KEY"):
        other.open(sealed)


def test_a_new_key_beside_the_old_one_opens_what_the_old_one_sealed(tmp_path: Path) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = AddressBox(old, tmp_path / "unused").seal(ADDRESS)
    both = AddressBox(f"{new},{old}", tmp_path / "unused")
    assert both.open(sealed) == ADDRESS
    assert AddressBox(new, tmp_path / "unused").open(both.seal(ADDRESS)) == ADDRESS


@pytest.mark.parametrize("key", ["", "short", "x" * 44, "correct horse battery staple"])
def test_what_is_no_key_is_refused_at_once_and_not_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(SettingsError, match="CAMERA_KEY is no key") as caught:
        AddressBox(key, tmp_path / "unused")
    assert not key or key not in str(caught.value)


def test_a_key_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    file = tmp_path / "camera.key"
    file.mkdir()
    with pytest.raises(SettingsError, match=r"camera\.key.*CAMERA_KEY"):
        AddressBox(None, file).seal(ADDRESS)


def test_a_key_that_others_may_read_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "camera.key"
    file.write_bytes(Fernet.generate_key())
    file.chmod(0o644)
    with capture_logs() as logs:
        AddressBox(None, file).seal(ADDRESS)
    assert [entry["log_level"] for entry in logs] == ["warning"]
