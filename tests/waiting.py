"""Waiting for what another thread or process does, by condition and deadline."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(condition: Callable[[], bool], timeout_s: float = 60, what: str = "it") -> None:
    """Wait until something is so; fail after a deadline that only a defect reaches.

    It is asked for up to a two-hundredth of that time apart: who has long to wait takes no time
    from those waited for.
    """
    deadline_s = time.monotonic() + timeout_s
    pause_s = 0.01
    while not condition():
        assert time.monotonic() < deadline_s, f"{what}: not within {timeout_s:g} s"
        time.sleep(pause_s)
        pause_s = min(timeout_s / 200, pause_s * 1.5)
