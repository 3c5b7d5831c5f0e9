"""What a token is good for, asked of the database off the event loop and known for two seconds."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from anyio import CapacityLimiter, to_thread

from identifier.access.tokens import Token
from services.access import Scope

REMEMBERED_S = 2.0
_MOST_REMEMBERED = 1_024
_LOOKUPS_AT_ONCE = 4


class TokenCheck:
    """Checks tokens for one event loop.

    A token that is revoked is refused within `REMEMBERED_S`. Wrong ones are remembered too, so
    that guessing costs the database little; of any token only the SHA-256 is.

    Args:
        check: `Tokens.check`; may block.
        clock: seconds, of any beginning.
    """

    def __init__(
        self, check: Callable[[str], Token | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._check = check
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, frozenset[Scope] | None]] = OrderedDict()
        self._limiter: CapacityLimiter | None = None

    async def scopes(self, text: str) -> frozenset[Scope] | None:
        """What a token is good for; None for one that is good for nothing.

        Raises:
            DBAPIError: the database does not answer.
        """
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(key)
        if known is not None and self._clock() - known[0] < REMEMBERED_S:
            return known[1]
        if self._limiter is None:
            self._limiter = CapacityLimiter(_LOOKUPS_AT_ONCE)
        asked_s = self._clock()
        found = await to_thread.run_sync(self._check, text, limiter=self._limiter)
        scopes = None if found is None else frozenset(found.scopes)
        self._known[key] = (asked_s, scopes)
        self._known.move_to_end(key)
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return scopes
