"""Which events were handed out, where ids become visible out of order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from identifier.deliveries.window import Window


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_without_gaps_the_cursor_is_the_last_event() -> None:
    window = Window(4)
    assert not window.wants(4)
    for number in (5, 6, 7):
        assert window.wants(number)
        window.passed(number)
        assert not window.wants(number)
    assert window.cursor == 7


def test_a_lower_id_that_appears_after_a_higher_one_is_still_wanted_once() -> None:
    window = Window(4)
    window.passed(7)
    assert window.cursor == 4
    assert [number for number in range(1, 9) if window.wants(number)] == [5, 6, 8]
    window.passed(6)
    assert not window.wants(6)
    assert window.cursor == 4
    window.passed(5)
    assert window.cursor == 7


def test_an_id_that_never_appears_is_waited_for_no_longer_than_the_patience() -> None:
    clock = Clock()
    window = Window(4, patience_s=30, clock=clock)
    window.passed(6)
    clock.now_s = 29
    window.expire()
    assert window.cursor == 4
    window.passed(8)
    clock.now_s = 30
    window.expire()
    assert window.cursor == 6
    assert window.wants(7)
    clock.now_s = 59
    window.expire()
    assert window.cursor == 8


@given(st.permutations(range(1, 13)), st.sets(st.integers(1, 12)))
def test_in_whatever_order_ids_appear_each_is_wanted_once_and_none_is_skipped(
    order: list[int], never: set[int]
) -> None:
    clock = Clock()
    window = Window(0, patience_s=1, clock=clock)
    appearing = [number for number in order if number not in never]
    for count, number in enumerate(appearing):
        assert window.wants(number)
        window.passed(number)
        missing = set(range(1, 13)) - set(appearing[: count + 1])
        assert window.cursor < min(missing | {13})
    assert not any(window.wants(number) for number in appearing)
    clock.now_s = 1
    window.expire()
    assert window.cursor == max(appearing, default=0)
