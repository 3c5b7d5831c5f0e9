"""Which scope a request needs: one table, first rule that fits, and `admin` where none does."""

from __future__ import annotations

import re
from typing import Final

from services.access import Scope

_OPEN_PATHS: Final = ("/", "/api/v1/docs", "/api/v1/health")
_OPEN_FOLDER: Final = "/api/v1/docs/"
_LOOKING: Final = ("GET", "HEAD", "OPTIONS")
_CHANGING: Final = ("POST", "PUT", "PATCH", "DELETE")
_ALL: Final = (*_LOOKING, *_CHANGING)

_Rule = tuple[tuple[str, ...], str, Scope]
_RULES: Final[tuple[_Rule, ...]] = (
    (_ALL, r"/api/v1/(users|tokens)(/.*)?", "admin"),
    (_ALL, r"/api/v1/producers?(/.*)?", "producer"),
    (_ALL, r"/api/v1/cameras(/.*)?", "cameras"),
    (("POST",), r"/api/v1/people/[^/]+/erase", "erase"),
    (("DELETE",), r"/api/v1/people/[^/]+", "erase"),
    (("DELETE",), r"/api/v1/unknowns/[^/]+", "erase"),
    (("POST",), r"/api/v1/identify", "read"),
    (
        _LOOKING,
        r"/api/v1/(people|gallery|identify|sightings|unknowns|events|statistics|backfills)(/.*)?",
        "read",
    ),
    (_LOOKING, r"/openapi\.json", "read"),
    (_CHANGING, r"/api/v1/(people|sightings|unknowns|backfills)(/.*)?", "teach"),
)


def is_open(path: str) -> bool:
    """Whether a path is for everyone who reaches the API: health, and the page of the docs."""
    return path in _OPEN_PATHS or path.startswith(_OPEN_FOLDER)


def rule_for(method: str, path: str) -> Scope | None:
    """What the table says of a request; None where it says nothing."""
    for methods, pattern, scope in _RULES:
        if method in methods and re.fullmatch(pattern, path):
            return scope
    return None


def needed(method: str, path: str) -> Scope:
    """What a token must be good for to make a request; a path that is forgotten here is closed."""
    return rule_for(method, path) or "admin"
