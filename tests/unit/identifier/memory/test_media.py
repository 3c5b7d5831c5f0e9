"""Crops in files: whole or not there, under keys that nobody can guess."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from fsspec import AbstractFileSystem, register_implementation

from identifier.memory.media import Media, new_key
from services.errors import SettingsError


@pytest.fixture(params=["directory", "memory://"])
def media(request: pytest.FixtureRequest, tmp_path: Path) -> Media:
    if request.param == "directory":
        return Media(str(tmp_path / "media"))
    return Media(f"memory://{tmp_path.name}/crops")


def test_what_was_put_is_there_until_it_is_deleted(media: Media) -> None:
    key = media.put(None, b"one")
    assert media.get(key) == b"one"
    assert media.put(key, b"two") == key
    assert media.get(key) == b"two"
    media.delete_many([key, key, ""])
    assert media.get(key) is None


def test_keys_are_long_and_never_the_same(media: Media) -> None:
    keys = {media.put(None, b"x") for _ in range(50)}
    assert len(keys) == 50
    assert all(len(key.rsplit("/", 1)[1]) == 32 + len(".jpg") for key in keys)


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "2026/01/01/../x.jpg", "a", ""])
def test_only_a_key_leads_to_a_file(media: Media, key: str) -> None:
    for ask in (media.get, media.delete, lambda each: media.put(each, b"x")):
        with pytest.raises(ValueError, match="no key"):
            ask(key)


def test_whole_days_are_swept(media: Media) -> None:
    old = [new_key(datetime(2026, 1, day, tzinfo=UTC)) for day in (1, 2)]
    young = new_key(datetime(2026, 1, 3, tzinfo=UTC))
    for key in [*old, young]:
        media.put(key, b"x")
    assert media.sweep(date(2026, 1, 3)) == 2
    assert [media.get(key) for key in old] == [None, None]
    assert media.get(young) == b"x"
    assert media.sweep(date(2026, 1, 3)) == 0


class NoEndpointError(Exception):
    """As botocore's: no `OSError`, with the address in its words."""


class Away(AbstractFileSystem):  # type: ignore[misc]
    """Storage that does not answer."""

    protocol = "away"

    def _refuse(self, path: str, *_: object, **__: object) -> None:
        raise NoEndpointError(f"could not connect to http://127.0.0.1:9/{path}")

    pipe_file = cat_file = rm_file = ls = _refuse


def test_whatever_a_storage_says_when_it_is_away_is_one_error_without_keys() -> None:
    register_implementation("away", Away, clobber=True)
    media, key = Media("away://crops"), new_key()
    for ask in (
        lambda: media.put(key, b"x"),
        lambda: media.get(key),
        lambda: media.delete(key),
        lambda: media.sweep(date(2026, 1, 3)),
        lambda: list(media.keys_before(date(2026, 1, 3))),
    ):
        with pytest.raises(OSError, match="NoEndpointError") as caught:
            ask()
        assert key not in str(caught.value)


def test_a_write_leaves_no_scrap(tmp_path: Path) -> None:
    media = Media(str(tmp_path / "media"))
    key = media.put(None, b"x")
    files = [path for path in (tmp_path / "media").rglob("*") if path.is_file()]
    assert [str(path.relative_to(tmp_path / "media")) for path in files] == [key]


@pytest.mark.parametrize("url", ["nothing://x", "s3://bucket/crops"])
def test_storage_that_is_not_to_be_had_is_one_clear_error(url: str) -> None:
    with pytest.raises(SettingsError, match="MEDIA_URL"):
        Media(url)
