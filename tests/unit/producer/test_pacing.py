"""Thinning and pacing, on a clock of the test's own."""

from __future__ import annotations

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from producer.pacing import LATE_S, Pacer, Thinner

GAPS_S = st.lists(st.floats(0, 2, allow_subnormal=False), min_size=1, max_size=200)
FPS = st.floats(0.1, 120)
EPSILON_S = 1e-9


class Clock:
    """Time that passes only when someone waits, or when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> bool:
        self.now_s += seconds
        return False


@given(gaps_s=GAPS_S, fps=FPS)
def test_no_more_frames_pass_than_the_limit_allows(gaps_s: list[float], fps: float) -> None:
    thinner = Thinner(fps)
    kept = [at for at in accumulate(gaps_s) if thinner.keep(at)]
    for first in range(len(kept)):
        for last in range(first, len(kept)):
            allowed = (kept[last] - kept[first]) * fps + 2.5
            assert last - first + 1 <= allowed + EPSILON_S


@given(gaps_s=GAPS_S, fps=FPS)
def test_frames_slow_enough_all_pass(gaps_s: list[float], fps: float) -> None:
    thinner = Thinner(fps)
    assert all(thinner.keep(at) for at in accumulate(gap + 1.001 / fps for gap in gaps_s))


@given(jitter=st.lists(st.floats(-0.2, 0.2), min_size=50, max_size=200))
def test_a_jittering_camera_at_its_limit_loses_nothing(jitter: list[float]) -> None:
    thinner = Thinner(25)
    assert all(thinner.keep((number + shift) / 25) for number, shift in enumerate(jitter))


@given(fps=st.integers(1, 30))
def test_the_limit_is_reached_on_average(fps: int) -> None:
    thinner = Thinner(fps)
    kept = sum(thinner.keep(number / 30) for number in range(300))
    assert abs(kept - 10 * fps) <= 1


def test_no_limit_lets_everything_pass() -> None:
    thinner = Thinner(0)
    assert all(thinner.keep(0.0) for _ in range(10))


@given(gaps_s=GAPS_S)
def test_a_file_is_shown_at_its_own_rate(gaps_s: list[float]) -> None:
    clock = Clock()
    pacer = Pacer(clock.wait, clock)
    shown = []
    for position_s in accumulate(gaps_s):
        assert pacer.hold(position_s)
        shown.append((clock.now_s, position_s))
    for (then_s, before_s), (now_s, position_s) in pairwise(shown):
        assert abs((now_s - then_s) - (position_s - before_s)) < EPSILON_S * 1_000


@given(gaps_s=st.lists(st.floats(0, 0.5), min_size=2, max_size=50), work_s=st.floats(0, 3))
def test_no_frame_is_early_however_slow_the_work(gaps_s: list[float], work_s: float) -> None:
    clock = Clock()
    pacer = Pacer(clock.wait, clock)
    begun_s, first_s = None, 0.0
    for position_s in accumulate(gaps_s):
        pacer.hold(position_s)
        if begun_s is None:
            begun_s, first_s = clock.now_s, position_s
        assert clock.now_s - begun_s >= position_s - first_s - EPSILON_S * 1_000
        clock.now_s += work_s


def test_after_a_long_halt_a_file_goes_on_at_its_rate_instead_of_hurrying() -> None:
    clock = Clock()
    pacer = Pacer(clock.wait, clock)
    pacer.hold(0.0)
    clock.now_s += 100 * LATE_S
    resumed_s = clock.now_s
    assert pacer.hold(0.04)
    assert clock.now_s == resumed_s
    assert pacer.hold(1.04)
    assert clock.now_s - resumed_s > 0.99


def test_a_pause_ends_with_the_wish_to_stop() -> None:
    pacer = Pacer(lambda _seconds: True, Clock())
    assert pacer.hold(0.0)
    assert not pacer.hold(10.0)
