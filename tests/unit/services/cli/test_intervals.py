"""Whole numbers kept as intervals behave as a set, however they arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.cli.intervals import Intervals

numbers = st.lists(st.integers(min_value=0, max_value=60), max_size=120)


@given(numbers)
def test_it_holds_what_a_set_would_hold(arrivals: list[int]) -> None:
    held, expected = Intervals(), set[int]()
    for number in arrivals:
        assert held.add(number) is (number not in expected)
        expected.add(number)
        assert len(held) == len(expected)
    pairs = held.pairs()
    assert {n for first, last in pairs for n in range(first, last + 1)} == expected
    assert all(number in held for number in expected)


@given(numbers)
def test_its_intervals_are_sorted_and_never_touch(arrivals: list[int]) -> None:
    held = Intervals()
    for number in arrivals:
        held.add(number)
    pairs = held.pairs()
    assert all(first <= last for first, last in pairs)
    assert all(pairs[i][1] + 1 < pairs[i + 1][0] for i in range(len(pairs) - 1))
