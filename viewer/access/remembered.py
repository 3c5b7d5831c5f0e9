"""Answers of something slow, asked in threads, kept for a few seconds for the event loop."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Asks once where many want to know; for one event loop.

    Where asking fails, an answer that is not older than `grace_s` stands. Misses have a memory of
    their own: however many there are, they push no other answer out.

    Args:
        ask: gives the answer to a key; may block, is called in a thread.
        threads: where it is called.
        keep_s: how long an answer is given again.
        grace_s: how long it is, at most, while asking fails.
        most: how many answers are kept, and as many misses; the oldest go first.
        is_miss: whether an answer says that there is nothing.
        clock: seconds, of any beginning.
    """

    def __init__(
        self,
        ask: Callable[[K], V],
        threads: Executor,
        *,
        keep_s: float,
        grace_s: float = 0.0,
        most: int = 1_024,
        is_miss: Callable[[V], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._threads = threads
        self._keep_s = keep_s
        self._grace_s = grace_s
        self._most = most
        self._clock = clock
        self._is_miss = is_miss
        self._known: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._missed: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._asking: dict[K, asyncio.Future[V]] = {}

    def has(self, key: K) -> bool:
        """Whether a key was asked about before, and the answer, whichever, is remembered."""
        return self._last(key) is not None

    async def get(self, key: K) -> V:
        """The answer.

        Raises:
            Exception: what `ask` raised, where there is no answer to fall back on.
        """
        known = self._last(key)
        if known is not None and self._clock() - known[0] < self._keep_s:
            return known[1]
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.ensure_future(self._find_out(key))
            self._asking[key] = asking
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        # A browser that leaves must not take the answer from the others that wait for it.
        return await asyncio.shield(asking)

    async def _find_out(self, key: K) -> V:
        asked_s = self._clock()
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, key)
        except Exception:
            known = self._last(key)
            if known is None or self._clock() - known[0] >= self._grace_s:
                raise
            return known[1]
        kept, other = self._known, self._missed
        if self._is_miss(found):
            kept, other = other, kept
        other.pop(key, None)
        kept[key] = (asked_s, found)
        kept.move_to_end(key)
        while len(kept) > self._most:
            kept.popitem(last=False)
        return found

    def _last(self, key: K) -> tuple[float, V] | None:
        return self._known.get(key) or self._missed.get(key)
