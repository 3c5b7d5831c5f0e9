"""What one may do (scopes), bundles of it (roles), and passwords: what viewer and identifier share.

Passwords are kept as argon2id hashes with the parameters of RFC 9106 for little memory (64 MiB).
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, cast, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.errors import RecordError

Scope = Literal["read", "streams", "teach", "push", "cameras", "producer", "erase", "admin"]
"""What one may do:

- `read`: people, sightings, unknown people, crops, events, the system page
- `streams`: live pictures and snapshots
- `teach`: enrol, rename, merge, name unknown people, "not this person", thresholds, backfills
- `push`: send frames as a camera
- `cameras`: add, change and remove cameras, look through them before
- `producer`: what a producer does at the identifier: report, fetch its cameras with addresses
- `erase`: erase people, forget unknown people
- `admin`: users and tokens
"""
Role = Literal["viewer", "operator", "admin"]

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
_LOOKS: Final[frozenset[Scope]] = frozenset({"read", "streams"})
ROLES: Final[Mapping[Role, frozenset[Scope]]] = MappingProxyType(
    {
        "viewer": _LOOKS,
        "operator": _LOOKS | frozenset[Scope]({"teach", "push", "cameras"}),
        "admin": frozenset(SCOPES) - frozenset[Scope]({"producer"}),
    }
)

LONGEST_USER_NAME = 64
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1_024

BEARER_PREFIX: Final = "fst_"  # makes a token that leaked to a public place findable

_TOKEN = re.compile(rf"{BEARER_PREFIX}[A-Za-z0-9_-]{{1,196}}")
_NAME = re.compile(r"\w[\w.@+' -]*")
_DOLLARS = 5  # $argon2id$v=..$m=..,t=..,p=..$salt$hash
_HASHES_AT_ONCE = 2  # each takes 64 MiB
_hashing = threading.BoundedSemaphore(_HASHES_AT_ONCE)


def is_token(text: str) -> bool:
    """Whether a text looks like an API token; whether it is one, the identifier knows."""
    return _TOKEN.fullmatch(text) is not None


def scopes_of(role: str) -> frozenset[Scope]:
    """What a role may do; nothing for one that is none."""
    return ROLES.get(cast("Role", role), frozenset())


def clean_scopes(names: Iterable[str]) -> tuple[Scope, ...]:
    """Scopes in their order, each once.

    Raises:
        RecordError: `bad-scopes` for one that there is not, or none at all.
    """
    wanted = {name.strip().lower() for name in names if name.strip()}
    if not wanted or not wanted <= set(SCOPES):
        unknown = ", ".join(sorted(wanted - set(SCOPES)))
        told = f"there is no scope {unknown}" if unknown else "at least one scope is needed"
        raise RecordError("bad-scopes", f"{told}; scopes are {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in wanted)


def clean_user_name(name: str) -> str:
    """A user's name as it is kept: NFC, single spaces.

    Raises:
        RecordError: `bad-name` for one that is empty, too long, or has odd characters.
    """
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if len(cleaned) > LONGEST_USER_NAME or not _NAME.fullmatch(cleaned):
        raise RecordError(
            "bad-name",
            f"a user's name has 1 to {LONGEST_USER_NAME} letters, digits, spaces and . @ + ' - _, "
            "a letter or digit first",
        )
    return cleaned


def user_key(name: str) -> str:
    """What all spellings of a user's name have in common: upper and lower case are one."""
    return unicodedata.normalize("NFKC", " ".join(name.split())).casefold()


def check_password(password: str) -> None:
    """Refuse a new password that is too short, or absurdly long.

    Raises:
        RecordError: `bad-password`.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise RecordError(
            "bad-password",
            f"a password has at least {SHORTEST_PASSWORD} and at most {LONGEST_PASSWORD:,} "
            "characters",
        )


def hash_password(password: str) -> str:
    """The argon2id hash of a password, `$argon2id$...`; takes a tenth of a second or so."""
    with _hashing:
        return PasswordHasher().hash(_bytes(password))


def verify_password(hashed: str, password: str) -> bool:
    """Whether a password is the one that was hashed.

    Takes as long for a wrong one. One that is too long is wrong without a look at it.
    """
    if len(password) > LONGEST_PASSWORD:
        return False
    try:
        with _hashing:
            return PasswordHasher().verify(hashed, _bytes(password))
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(hashed: str) -> bool:
    """Whether a hash was made with other parameters than are used now."""
    return PasswordHasher().check_needs_rehash(hashed)


def is_password_hash(text: str) -> bool:
    """Whether a text is an argon2 hash that a password can be checked against."""
    try:
        PasswordHasher().check_needs_rehash(text)
    except InvalidHashError:
        return False
    return text.count("$") == _DOLLARS and " " not in text


def _bytes(password: str) -> bytes:
    """The same for every keyboard that spells an accented letter in its own way."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
