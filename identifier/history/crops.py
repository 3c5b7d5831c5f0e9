"""Where face crops are kept, as far as the history needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Crops(Protocol):
    """Files of face crops under keys that nobody can guess."""

    def put(self, key: str | None, jpeg: bytes) -> str:
        """Keep a crop under its key, or under a new one; gives the key."""

    def get(self, key: str) -> bytes | None:
        """The crop; None where there is none."""

    def delete_many(self, keys: Sequence[str]) -> object:
        """Forget crops; keys that are not there are no error."""
