"""Whole numbers kept as intervals: a week of frame numbers in a few bytes."""

from __future__ import annotations

import bisect


class Intervals:
    """A set of integers, stored as sorted, disjoint, closed intervals."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        at = bisect.bisect_right(self._starts, number) - 1
        return at >= 0 and number <= self._ends[at]

    def add(self, number: int) -> bool:
        """Put a number in; False when it was there."""
        at = bisect.bisect_right(self._starts, number) - 1
        if at >= 0 and number <= self._ends[at]:
            return False
        self._count += 1
        joins_left = at >= 0 and self._ends[at] == number - 1
        joins_right = at + 1 < len(self._starts) and self._starts[at + 1] == number + 1
        if joins_left and joins_right:
            self._ends[at] = self._ends.pop(at + 1)
            self._starts.pop(at + 1)
        elif joins_left:
            self._ends[at] = number
        elif joins_right:
            self._starts[at + 1] = number
        else:
            self._starts.insert(at + 1, number)
            self._ends.insert(at + 1, number)
        return True

    def pairs(self) -> list[list[int]]:
        """`[[first, last], ...]`, ascending."""
        return [[a, b] for a, b in zip(self._starts, self._ends, strict=True)]
