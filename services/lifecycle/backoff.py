"""How long to wait before the next try: exponential, capped, with full jitter.

After M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import random


class Backoff:
    """Delays that double from `first_s` to `most_s`; each is drawn from its upper half.

    Args:
        first_s: ceiling of the first delay, seconds.
        most_s: ceiling of every later delay, seconds.
        rng: where the jitter comes from.
    """

    def __init__(
        self, first_s: float = 0.1, most_s: float = 10.0, rng: random.Random | None = None
    ) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._rng = rng or random.Random()  # noqa: S311 - jitter needs no secrecy
        self._tries = 0

    def next_s(self) -> float:
        """Seconds to wait before the next try."""
        ceiling_s = min(self._most_s, self._first_s * 2 ** min(self._tries, 30))
        self._tries += 1
        return self._rng.uniform(ceiling_s / 2, ceiling_s)

    def reset(self) -> None:
        """Begin anew after a success."""
        self._tries = 0
