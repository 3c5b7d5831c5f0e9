"""Guessing passwords is slow: waits that grow with every wrong one, per address and per name."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE_TRIES = 5
_FIRST_WAIT_S = 10.0
_LONGEST_WAIT_S = 900.0
_FORGET_AFTER_S = 3_600.0
_MOST_KEYS = 10_000
_LONGEST_KEY = 200
_IPV6_SITE_BITS = 64


@dataclass(slots=True)
class _Tries:
    failed: int
    last_s: float

    def wait_s(self, now_s: float) -> float:
        if self.failed < FREE_TRIES:
            return 0.0
        wait_s = _FIRST_WAIT_S * 2.0 ** min(self.failed - FREE_TRIES, 10)
        return max(0.0, self.last_s + min(_LONGEST_WAIT_S, wait_s) - now_s)


class Throttle:
    """Counts tries; safe for several threads.

    A try counts as failed from its beginning, so that many at the same time get no further than
    one after another. After `FREE_TRIES` failures a name, or an address, waits 10 s, then twice
    as long every time, up to 15 minutes; an hour without failure forgets them. What is kept is
    bounded: the oldest are forgotten first.

    Args:
        clock: seconds, of any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def begin(self, address: str, name: str) -> float:
        """Ask before a password is looked at.

        Returns:
            Seconds to wait first; 0 when it may be looked at now, and is counted.
        """
        now_s = self._clock()
        keys = _keys(address, name)
        with self._lock:
            found = [self._tries[key] for key in keys if key in self._tries]
            wait_s = max((tries.wait_s(now_s) for tries in found), default=0.0)
            if wait_s > 0:
                return wait_s
            for key in keys:
                self._count(key, now_s)
        return 0.0

    def succeeded(self, address: str, name: str) -> None:
        """Take a try back: it was the right password. The name's failures are forgotten."""
        address_key, name_key = _keys(address, name)
        with self._lock:
            self._tries.pop(name_key, None)
            tries = self._tries.get(address_key)
            if tries is not None:
                tries.failed -= 1

    def _count(self, key: str, now_s: float) -> None:
        tries = self._tries.get(key)
        if tries is None or now_s - tries.last_s > _FORGET_AFTER_S:
            tries = self._tries[key] = _Tries(0, now_s)
        tries.failed += 1
        tries.last_s = now_s
        self._tries.move_to_end(key)
        while len(self._tries) > _MOST_KEYS:
            self._tries.popitem(last=False)


def _keys(address: str, name: str) -> tuple[str, str]:
    folded = " ".join(name.split()).casefold()[:_LONGEST_KEY]
    return f"address {_site(address)[:_LONGEST_KEY]}", f"name {folded}"


def _site(address: str) -> str:
    """An address; of IPv6 the network, in which one browser has as many as it likes."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, _IPV6_SITE_BITS), strict=False))
