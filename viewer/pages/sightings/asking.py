"""What a request for sightings asks for, and whom it may ask after."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flask import request

from viewer.identifier import IdentifierProblem, Json
from viewer.pages.parts import Parts
from viewer.pages.sightings.filters import Filters, read_filters, utc_now

ZONE_COOKIE = "zone"
_SLUG = re.compile(r"[a-z0-9-]{1,80}")
_MOST_SUGGESTED = 200
_MOST_ASKED = 50
_LONGEST_NAME = 160


def asked_filters(parts: Parts) -> Filters:
    """The filters in the address of the request in hand."""

    def find(text: str) -> tuple[str, str] | None:
        return find_person(parts, text)

    return read_filters(request.args, find, utc_now(), request.cookies.get(ZONE_COOKIE))


def find_person(parts: Parts, text: str) -> tuple[str, str] | None:
    """Slug and name of the person who is called so, or has that slug; None for nobody.

    Raises:
        IdentifierAway: it does not answer, and nobody of the state of now is meant.
    """
    if len(text) > _LONGEST_NAME or "\x00" in text:
        return None
    known = [(person["slug"], person["name"]) for person in parts.state.read()["people"]]
    found = _named(known, text)
    if found is not None:
        return found
    try:
        listed: list[Json] = parts.identifier.get("/people", q=text, limit=_MOST_ASKED)["people"]
        found = _named(((each["slug"], each["name"]) for each in listed), text)
        if found is None and _SLUG.fullmatch(text):
            person = parts.identifier.get(f"/people/{text}")["person"]
            found = (person["slug"], person["name"])
    except IdentifierProblem as refused:
        if refused.status not in (404, 422):
            raise
    return found


def known_people(parts: Parts) -> list[str]:
    """Names to suggest."""
    names = sorted(person["name"] for person in parts.state.read()["people"])
    return names[:_MOST_SUGGESTED]


def known_cameras(parts: Parts, seen: Iterable[str]) -> list[str]:
    """Cameras to suggest: those of now, and others that were seen."""
    now = {camera["name"] for camera in parts.state.read()["cameras"]}
    return sorted(now | set(seen))[:_MOST_SUGGESTED]


def _named(people: Iterable[tuple[str, str]], text: str) -> tuple[str, str] | None:
    known = list(people)
    for slug, name in known:
        if slug == text:
            return slug, name
    return next(((slug, name) for slug, name in known if name.casefold() == text.casefold()), None)
