"""Names keep their spelling; slugs are safe in topics, addresses and file names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identifier.names import LONGEST_SLUG, clean_name, name_key, numbered, slugify
from services.errors import RecordError


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Sam", "sam"),
        ("lin_manuel_miranda", "lin-manuel-miranda"),
        ("  Alex   Lacamoire ", "alex-lacamoire"),
        ("José Ñandú", "jose-nandu"),
        ("Søren Straße", "soren-strasse"),
        ("O'Brien, Jr.", "o-brien-jr"),
    ],
)
def test_a_latin_name_is_spelled_out(name: str, slug: str) -> None:
    assert slugify(clean_name(name)) == slug


def test_a_name_in_another_script_gets_a_digest_of_its_own() -> None:
    first, second = slugify("田中"), slugify("Ольга")
    assert re.fullmatch(r"person-[0-9a-f]{8}", first)
    assert first != second
    assert slugify("田中") == first


def _allowed(name: str) -> bool:
    try:
        clean_name(name)
    except RecordError:
        return False
    return True


@given(st.text(min_size=1, max_size=100).filter(_allowed))
def test_any_name_that_is_allowed_gives_a_safe_slug(name: str) -> None:
    cleaned = clean_name(name)
    slug = slugify(cleaned)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
    assert len(slug) <= LONGEST_SLUG
    assert clean_name(cleaned) == cleaned


@pytest.mark.parametrize(
    "name", ["", "  ", "a/b", "..\\x", "x" * 101, "bell\x07", "zero\u200bwidth"]
)
def test_a_name_that_makes_no_sense_is_refused(name: str) -> None:
    with pytest.raises(RecordError, match="a name has"):
        clean_name(name)


def test_upper_and_lower_case_are_the_same_name() -> None:
    assert name_key("SAM") == name_key("sam")


def test_the_second_of_a_slug_is_numbered() -> None:
    assert [numbered("sam", n) for n in (1, 2, 3)] == ["sam", "sam-2", "sam-3"]
