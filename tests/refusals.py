"""What a parser says of bytes it will not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from services.errors import RecordError

_T = TypeVar("_T")


def tried(parse: Callable[[], _T]) -> tuple[_T | None, str]:
    """The result and no reason, or no result and the reason of the RecordError.

    Any other exception is a defect, and passes.
    """
    try:
        return parse(), ""
    except RecordError as error:
        return None, error.reason
