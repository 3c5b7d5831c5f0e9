"""When a frame is due: files at their own rate, and no camera faster than asked."""

from __future__ import annotations

import time
from collections.abc import Callable

LATE_S = 1.0
"""Behind by more than this, a file goes on from where it is instead of hurrying after."""

_SMOOTHING = 1 / 8


class Thinner:
    """Leaves out frames so that on average at most `fps` pass per second of their own time.

    Of the frames around a due time the nearest passes. Frames at least 1/fps apart all pass,
    and jitter costs none: a camera of 25 frames/s limited to 25 loses nothing.

    Args:
        fps: frames per second; 0 lets everything pass.
    """

    def __init__(self, fps: float) -> None:
        self._period_s = 1.0 / fps if fps else 0.0
        self._due_s = float("-inf")
        self._last_s: float | None = None
        self._gap_s: float | None = None

    def keep(self, position_s: float) -> bool:
        """Whether to publish the frame at this position; positions never fall."""
        if not self._period_s:
            return True
        if self._last_s is not None:
            gap_s = position_s - self._last_s
            known_s = gap_s if self._gap_s is None else self._gap_s
            self._gap_s = known_s + (gap_s - known_s) * _SMOOTHING
        self._last_s = position_s
        if position_s < self._due_s - self._early_s():
            return False
        on_time = position_s < self._due_s + self._period_s
        self._due_s = (self._due_s if on_time else position_s) + self._period_s
        return True

    def _early_s(self) -> float:
        if self._gap_s is None or self._gap_s >= self._period_s / 2:
            return self._period_s / 2  # a source near its limit: its jitter is let pass
        return self._gap_s / 2


class Pacer:
    """Holds each frame of a file until its time has come.

    Args:
        wait: pauses for so many seconds; True when the pause was cut short for good.
        clock: seconds, monotonic.
    """

    def __init__(
        self, wait: Callable[[float], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._wait = wait
        self._clock = clock
        self._origin_s: float | None = None

    def hold(self, position_s: float) -> bool:
        """Wait for the frame at this position; False when told to stop meanwhile."""
        now_s = self._clock()
        if self._origin_s is None or now_s - self._origin_s - position_s > LATE_S:
            self._origin_s = now_s - position_s
            return True
        early_s = self._origin_s + position_s - now_s
        return early_s <= 0 or not self._wait(early_s)
