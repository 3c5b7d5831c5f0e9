"""Backoff doubles, is capped, and never waits for nothing."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from services.lifecycle.backoff import Backoff

seconds = st.floats(0.001, 100)


@given(seconds, seconds, st.integers(0, 200), st.integers())
def test_every_delay_is_in_the_upper_half_of_its_ceiling(
    first_s: float, most_s: float, tries: int, seed: int
) -> None:
    backoff = Backoff(first_s, most_s, random.Random(seed))
    for _ in range(tries):
        backoff.next_s()
    ceiling_s = min(most_s, first_s * 2 ** min(tries, 30))
    assert ceiling_s / 2 <= backoff.next_s() <= ceiling_s


def test_a_thousand_failures_wait_no_longer_than_the_cap() -> None:
    backoff = Backoff(first_s=0.1, most_s=10)
    delays = [backoff.next_s() for _ in range(1_000)]
    assert max(delays) <= 10
    assert min(delays[10:]) >= 5


def test_after_a_success_it_begins_anew() -> None:
    backoff = Backoff(first_s=0.1, most_s=10)
    for _ in range(20):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() <= 0.1


def test_two_clients_do_not_come_back_together() -> None:
    assert len({Backoff().next_s() for _ in range(50)}) > 40
