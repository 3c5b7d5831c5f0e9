from __future__ import annotations

import pytest

from services.lifecycle.health import ALIVE_WITHIN_S, Health
from services.lifecycle.watchdog import EXIT_CODE, watched
from tests.waiting import eventually


def test_a_loop_that_hangs_ends_the_process() -> None:
    now_s = 0.0
    health = Health(clock=lambda: now_s)
    ended: list[int] = []
    health.beat()
    with watched(health, ended.append, every_s=0.01):
        now_s += ALIVE_WITHIN_S + 1
        eventually(lambda: ended == [EXIT_CODE])


@pytest.mark.parametrize("begun", [True, False])
def test_a_loop_that_turns_or_has_not_begun_is_left_alone(begun: bool) -> None:
    looks = 0

    class Counted(Health):
        @property
        def is_alive(self) -> bool:
            nonlocal looks
            looks += 1
            return super().is_alive

    health = Counted(clock=lambda: 1_000.0)
    if begun:
        health.beat()
    ended: list[int] = []
    with watched(health, ended.append, every_s=0.001):
        eventually(lambda: looks > 3)
    assert ended == []
