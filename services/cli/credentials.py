"""Which service of a run on this machine gets which token for the identifier's API."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_HIDDEN: Final = {
    f"{name}{suffix}": ""
    for name in ("API_TOKEN", "PRODUCER_TOKEN", "IDENTIFIER_TOKEN")
    for suffix in ("", "_FILE")
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """Variables for each service, on top of the user's own, which every child inherits.

    Where the API wants a token, a producer gets another than the viewer, good for its scope
    alone, and a worker none: both read what cameras send, which nobody vouches for. An empty
    variable hides the user's.
    """

    identifier: dict[str, str] = field(default_factory=dict, repr=False)
    viewer: dict[str, str] = field(default_factory=dict, repr=False)
    producer: dict[str, str] = field(default_factory=dict, repr=False)
    worker: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Tokens:
        """The tokens that a user's variables ask for.

        Args:
            variables: the environment; a PRODUCER_TOKEN in it, which producers on other machines
                may have, is kept, else one is made for this run.
        """
        own = _identifier_token(variables, "API_TOKEN")
        if not own:
            return cls()
        producers = _identifier_token(variables, "PRODUCER_TOKEN")
        made: dict[str, str] = {}
        if not producers:
            made = {"PRODUCER_TOKEN": secrets.token_urlsafe(32)}
            producers = _identifier_token(made, "PRODUCER_TOKEN")
        return cls(identifier=made, viewer=own, producer=_HIDDEN | producers, worker=_HIDDEN)


def _identifier_token(variables: Mapping[str, str], name: str) -> dict[str, str]:
    """A secret, or its file, as a client of the API is told of it; nothing where it is not set."""
    value, file = variables.get(name, ""), variables.get(f"{name}_FILE", "")
    return {"IDENTIFIER_TOKEN": value, "IDENTIFIER_TOKEN_FILE": file} if value or file else {}
