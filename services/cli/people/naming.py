"""Who is meant: a name or a slug, as the user typed it."""

from __future__ import annotations

import re
import unicodedata

from services.cli.people.answers import PeoplePage, Person, PersonWithFaces
from services.cli.people.api import Api, RefusedError, part
from services.errors import FatalError

_SLUG = re.compile(r"[a-z0-9-]{1,72}")
_LIKE_IT = 5
_NOT_FOUND = 404


class NobodyError(FatalError):
    """Nobody, or more than one person, has that name."""


def find_person(api: Api, given: str) -> Person:
    """The person whose slug or whole name that is; upper and lower case are one.

    Raises:
        NobodyError: nobody is called that; says who comes close.
        RefusedError, UnreachableError: as `Api.get`.
    """
    if _SLUG.fullmatch(given):
        try:
            return api.get(f"people/{part(given)}", PersonWithFaces).person
        except RefusedError as error:
            if error.status != _NOT_FOUND:
                raise
    page = api.get("people", PeoplePage, {"q": given.strip(), "limit": 100})
    same = [person for person in page.people if _key(person.name) == _key(given)]
    if len(same) == 1:
        return same[0]
    close = same or page.people
    hint = ", ".join(f"{person.name} ({person.slug})" for person in close[:_LIKE_IT])
    if same:
        raise NobodyError(f"several people are called {given}: say which by the slug: {hint}")
    raise NobodyError(
        f"there is nobody called {given}"
        + (f"; is it one of: {hint}?" if hint else "; `facestream people list` shows everyone")
    )


def _key(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
