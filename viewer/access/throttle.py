"""Guessing passwords is slow: waits that grow with every wrong one, per address and per name."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from viewer.access.proxies import site_of

FREE_TRIES = 5
_FIRST_WAIT_S = 10.0
_LONGEST_WAIT_S = 900.0
# Whoever guesses at a name makes its owner wait as well.
_LONGEST_WAIT_FOR_NAME_S = 30.0
_FORGET_AFTER_S = 3_600.0
_MOST_KEYS = 10_000
_LONGEST_KEY = 200


@dataclass(slots=True)
class _Tries:
    longest_s: float
    failed: int
    last_s: float

    def wait_s(self, now_s: float) -> float:
        if self.failed < FREE_TRIES:
            return 0.0
        wait_s = _FIRST_WAIT_S * 2.0 ** min(self.failed - FREE_TRIES, 10)
        return max(0.0, self.last_s + min(self.longest_s, wait_s) - now_s)


class Throttle:
    """Counts tries; safe for several threads.

    A try counts as failed from its beginning, so that many at the same time get no further than
    one after another. After `FREE_TRIES` failures an address, or a name, waits 10 s, then twice
    as long every time: an address up to 15 minutes, a name up to 30 s. From an address where the
    name's password was right before, its owner need not wait for what others do to the name. An
    hour without failure forgets them. What is kept is bounded: the oldest are forgotten first.

    Args:
        clock: seconds, of any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tries: OrderedDict[str, _Tries] = OrderedDict()
        self._at_home: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, address: str, name: str) -> float:
        """Ask before a password is looked at.

        Returns:
            Seconds to wait first; 0 when it may be looked at now, and is counted.
        """
        now_s = self._clock()
        address_key, name_key = keys = _keys(address, name)
        with self._lock:
            held = (address_key,) if keys in self._at_home else keys
            found = [self._tries[key] for key in held if key in self._tries]
            wait_s = max((tries.wait_s(now_s) for tries in found), default=0.0)
            if wait_s > 0:
                return wait_s
            self._count(address_key, now_s, _LONGEST_WAIT_S)
            self._count(name_key, now_s, _LONGEST_WAIT_FOR_NAME_S)
        return 0.0

    def succeeded(self, address: str, name: str) -> None:
        """Take a try back: it was the right password. The name's failures are forgotten."""
        address_key, name_key = keys = _keys(address, name)
        with self._lock:
            self._at_home[keys] = None
            self._at_home.move_to_end(keys)
            if len(self._at_home) > _MOST_KEYS:
                self._at_home.popitem(last=False)
            self._tries.pop(name_key, None)
            tries = self._tries.get(address_key)
            if tries is not None:
                tries.failed -= 1

    def _count(self, key: str, now_s: float, longest_s: float) -> None:
        tries = self._tries.get(key)
        if tries is None or now_s - tries.last_s > _FORGET_AFTER_S:
            tries = self._tries[key] = _Tries(longest_s, 0, now_s)
        tries.failed += 1
        tries.last_s = now_s
        self._tries.move_to_end(key)
        while len(self._tries) > _MOST_KEYS:
            self._tries.popitem(last=False)


def _keys(address: str, name: str) -> tuple[str, str]:
    folded = " ".join(name.split()).casefold()[:_LONGEST_KEY]
    return f"address {site_of(address)[:_LONGEST_KEY]}", f"name {folded}"
