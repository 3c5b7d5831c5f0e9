"""Times in requests: RFC 3339 with a zone, and nothing that only looks like a number."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator

_BEGINNING = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:")


def _written(value: object) -> object:
    if isinstance(value, str) and _BEGINNING.match(value):
        return value
    raise ValueError("write a time with its zone, as in 2026-11-01T18:30:00Z")


Moment = Annotated[AwareDatetime, BeforeValidator(_written)]
"""A moment; pydantic alone would take `0.5` for half a second after 1970."""
