from __future__ import annotations

from pathlib import Path

import pytest

from services.errors import ModelError
from services.models.packs import ROLES, get_pack, load_registry, packs


def test_the_default_pack_is_complete_and_its_files_are_pinned() -> None:
    pack = get_pack("buffalo_s")
    assert pack.threshold == 0.33
    assert "non-commercial" in pack.licence
    assert pack.tested
    published = {file.name: file.sha256 for file in pack.files}
    assert published["w600k_mbf.onnx"].startswith("9cc6e4a75f0e2bf0")
    assert published["scrfd_500m_bnkps.onnx"].startswith("a3562ef62592bf38")


def test_every_pack_has_every_role_and_every_file_a_place() -> None:
    for pack in packs().values():
        for role in ROLES:
            assert pack.choices(role)
        assert all(file.places for file in pack.files)


def test_two_files_of_one_name_never_have_two_digests() -> None:
    digests: dict[str, set[str]] = {}
    for pack in packs().values():
        for file in pack.files:
            digests.setdefault(file.name, set()).add(file.sha256)
    assert all(len(found) == 1 for found in digests.values())


def test_an_unknown_pack_is_refused_with_the_names_of_the_known() -> None:
    with pytest.raises(ModelError, match="'buffalo_x'; known: buffalo_s, "):
        get_pack("buffalo_x")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "packs = 3",
        "[packs.a]\nsummary = 'no files'",
        "[packs.a",
    ],
)
def test_a_broken_registry_is_refused(text: str, tmp_path: Path) -> None:
    registry = tmp_path / "packs.toml"
    registry.write_text(text)
    with pytest.raises(ModelError, match="not a registry"):
        load_registry(registry)
