"""API tokens of the identifier: those it knows stay known, those it does not know cost little."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor

from services.access import is_token
from viewer.access.logins import ApiToken
from viewer.access.proxies import site_of
from viewer.access.remembered import Remembered

FREE_STRANGERS = 30
_STRANGERS_WITHIN_S = 60.0
_MOST_SITES = 10_000


class TooManyStrangers(Exception):  # noqa: N818 - a state, not a fault
    """An address sends many tokens that nobody knows."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"wait {wait_s:.0f} s")
        self.wait_s = wait_s


class ApiTokens:
    """What tokens are good for; for one event loop.

    What does not look like a token is not asked about. The identifier's word is kept for a few
    seconds, that a token holds and that there is none in memories of their own: no flood of the
    one takes the room of the other. An address may come with `FREE_STRANGERS` tokens a minute that
    nobody knows.

    Args:
        ask: what a token is good for, None for nothing; may block.
        threads: where it is called.
        keep_s: how long an answer stands.
        grace_s: how long it stands, at most, while asking fails.
        clock: seconds, of any beginning.
    """

    def __init__(
        self,
        ask: Callable[[str], ApiToken | None],
        threads: Executor,
        *,
        keep_s: float,
        grace_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answers: Remembered[str, ApiToken | None] = Remembered(
            ask,
            threads,
            keep_s=keep_s,
            grace_s=grace_s,
            clock=clock,
            is_miss=lambda found: found is None,
        )
        self._clock = clock
        self._sites: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def get(self, text: str, address: str) -> ApiToken | None:
        """What a token is good for; None for nothing.

        Args:
            text: of the token.
            address: who sends it.

        Raises:
            TooManyStrangers: the address has to wait.
            IdentifierAway, IdentifierProblem: that cannot be found out now.
        """
        if not is_token(text):
            return None
        if self._answers.has(text):
            return await self._answers.get(text)
        site = site_of(address)
        self._count(site, 1)
        found, is_stranger = None, False
        try:
            found = await self._answers.get(text)
            is_stranger = found is None
        finally:
            if not is_stranger:
                self._count(site, -1)
        return found

    async def still(self, text: str) -> ApiToken | None:
        """What a token that held is good for now; raises what `get` raises of the identifier."""
        return await self._answers.get(text)

    def _count(self, site: str, more: int) -> None:
        now_s = self._clock()
        began_s, count = self._sites.get(site, (now_s, 0))
        if now_s - began_s >= _STRANGERS_WITHIN_S:
            began_s, count = now_s, 0
        if more > 0 and count >= FREE_STRANGERS:
            raise TooManyStrangers(math.ceil(began_s + _STRANGERS_WITHIN_S - now_s))
        self._sites[site] = (began_s, max(0, count + more))
        self._sites.move_to_end(site)
        while len(self._sites) > _MOST_SITES:
            self._sites.popitem(last=False)
