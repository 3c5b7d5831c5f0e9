"""Names of people: what is allowed, and the slug a name gets."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from services.errors import RecordError

LONGEST_NAME = 100
LONGEST_SLUG = 64
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_LETTERS = {"ß": "ss", "æ": "ae", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "œ": "oe"}


def clean_name(name: str) -> str:
    """A name as it is kept: NFC, single spaces.

    Raises:
        RecordError: `bad-name` when it is empty, too long or has control characters or a slash.
    """
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not cleaned or len(cleaned) > LONGEST_NAME:
        raise RecordError("bad-name", f"a name has 1 to {LONGEST_NAME} characters")
    if any(unicodedata.category(char)[0] == "C" or char in "/\\" for char in cleaned):
        raise RecordError("bad-name", "a name has no slashes and no control characters")
    return cleaned


def name_key(name: str) -> str:
    """What two spellings of the same name have in common: upper and lower case are one."""
    return unicodedata.normalize("NFKC", name).casefold()


def slugify(name: str) -> str:
    """A name as part of a topic or an address: `[a-z0-9-]`, never empty, at most 64 long.

    Latin letters lose their accents. A name in another script has nothing left then and gets a
    digest of itself instead: `person-5f1d7a84`.
    """
    spelled = "".join(_LETTERS.get(char, char) for char in name_key(name))
    ascii_only = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
    slug = _NOT_SLUG.sub("-", ascii_only).strip("-")[: LONGEST_SLUG - 9].strip("-")
    letters = sum(char.isalnum() for char in spelled)
    if not slug or sum(char.isalnum() for char in slug) * 2 < letters:
        digest = hashlib.sha256(name_key(name).encode()).hexdigest()[:8]
        slug = f"{slug or 'person'}-{digest}"
    return slug


def numbered(slug: str, number: int) -> str:
    """The slug for another person whose name gives the same one."""
    return slug if number < 2 else f"{slug}-{number}"
