"""The autoscaler on loads of all kinds; see simulation.py for the world it is in."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.decision import Limits
from tests.unit.autoscaler.simulation import Simulation, World, recorded, steps

LIMITS = Limits(max_workers=8)

# Frames/s every 10 s: four cameras of fifteen, two of them unplugged for a minute, another added.
CAMERAS_COME_AND_GO = (
    *(60, 59, 61, 60, 60, 60, 58, 60, 60, 60, 60, 61, 60, 30, 29, 31, 30, 30, 30),
    *(47, 88, 61, 60, 60, 60, 59, 60, 61, 75, 90, 91, 90, 90, 89, 90, 90, 90, 90),
)


def test_a_step_is_met_in_one_go_and_what_piled_up_is_gone_soon() -> None:
    run = Simulation(steps((0, 10), (60, 90)), LIMITS).run(400)
    assert run.changes(0, 200) == [4]
    assert run.between(60, 70)[-1].wanted == 5
    assert run.worst_lag_s(150) <= LIMITS.target_lag_s


def test_after_a_burst_it_goes_back_one_cool_down_later() -> None:
    run = Simulation(steps((0, 10), (60, 150), (120, 10)), LIMITS).run(1_000)
    assert max(moment.wanted for moment in run.moments) >= 7
    fewer = next(m for m in run.between(120, 1_000) if m.wanted < 7)
    assert fewer.at_s >= 120 + LIMITS.cool_down_down_s
    assert run.moments[-1].running == 1
    assert run.worst_lag_s(180) <= LIMITS.target_lag_s


def test_nobody_is_told_to_drain_while_others_do() -> None:
    slow = World(drain_s=LIMITS.cool_down_down_s * 2)
    run = Simulation(steps((0, 150), (120, 10)), LIMITS, slow).run(2_400)
    assert run.moments[-1].running == 1
    assert run.overlaps == 0


def test_bursts_that_come_again_do_not_make_it_swing() -> None:
    run = Simulation(lambda s: 120 if s % 90 < 30 else 20, LIMITS).run(1_800)
    assert len(run.changes(120)) <= 1
    assert run.worst_lag_s(120) <= LIMITS.target_lag_s


def test_cameras_that_come_and_go_by_the_second_do_not_either() -> None:
    run = Simulation(lambda s: 90 if int(s / 5) % 2 else 30, LIMITS).run(1_200)
    assert len(run.changes(300)) <= 1


def test_in_the_night_the_fewest_are_left_and_the_morning_is_met() -> None:
    run = Simulation(steps((0, 100), (300, 0), (2_000, 100)), LIMITS).run(2_400)
    assert run.between(290, 300)[-1].running >= 5
    assert run.between(1_990, 2_000)[-1].running == 1
    assert run.changes(2_000) == [4]
    assert run.worst_lag_s(2_100) <= LIMITS.target_lag_s


@pytest.mark.parametrize("restart_s", [1.0, None])
def test_a_worker_that_dies_is_replaced_and_the_number_stays(restart_s: float | None) -> None:
    run = Simulation(lambda _: 60, LIMITS, World(restart_s=restart_s)).run(600)
    before = run.moments[-1]
    run.kill()
    run.run(300)
    assert run.changes(600) == []
    assert run.moments[-1].ready == before.ready
    assert run.worst_lag_s(700) <= LIMITS.target_lag_s


def test_a_worker_that_hangs_is_made_up_for_and_is_the_first_to_go() -> None:
    run = Simulation(lambda _: 80, LIMITS).run(600)
    before = run.moments[-1].wanted
    run.break_one()
    run.run(600)
    assert run.moments[-1].ready >= before
    assert run.worst_lag_s(1_000) <= 2
    run.frames = lambda _: 10.0
    run.run(300)
    assert run.broken == 0


def test_workers_that_come_to_nothing_are_started_less_and_less_often() -> None:
    class Barren(Simulation):
        starts = 0

        def start(self, count: int) -> list[str]:
            self.starts += count > 0
            return []

    run = Barren(lambda _: 60, LIMITS)
    run.run(1_800)
    assert run.moments[-1].wanted > 1
    assert 2 < run.starts < 15


def test_live_cameras_whose_frames_are_skipped_are_not_taken_for_served() -> None:
    run = Simulation(steps((0, 10), (60, 90)), LIMITS, World(max_frame_age_s=2)).run(400)
    assert run.worst_lag_s() < 3.5
    assert run.moments[-1].running == 5
    skipped = run.skipped
    run.run(200)
    assert run.skipped == skipped


def test_an_hour_without_kafka_changes_nothing() -> None:
    run = Simulation(lambda _: 60, LIMITS, silent=lambda s: 300 < s < 3_900).run(4_200)
    assert run.changes(300) == []


def test_a_backlog_of_files_takes_all_there_are_and_no_more_than_partitions() -> None:
    run = Simulation(steps((0, 2_000), (30, 0)), LIMITS, World(partitions=3)).run(120)
    assert run.moments[-1].running == 3
    run = Simulation(steps((0, 2_000), (30, 0)), LIMITS).run(120)
    assert run.moments[-1].running == LIMITS.max_workers


def test_workers_with_nothing_to_do_are_found_out_one_by_one() -> None:
    run = Simulation(lambda _: 20, LIMITS, workers=5).run(1_800)
    assert run.changes() == [-1, -1, -1, -1]
    assert run.worst_lag_s() <= 2


def test_the_second_autoscaler_leaves_everything_alone() -> None:
    run = Simulation(lambda _: 100, LIMITS, turn=False).run(300)
    assert {moment.running for moment in run.moments} == {1}


def test_cameras_that_come_and_go() -> None:
    run = Simulation(recorded(CAMERAS_COME_AND_GO, 10), LIMITS, World(fps_per_worker=22)).run(380)
    assert run.worst_lag_s(90) <= 2
    assert len(run.changes()) <= 4


def test_a_day_costs_less_than_the_most_workers_would() -> None:
    def day(at_s: float) -> float:
        return 70 - 65 * math.cos(at_s / 3_600 * 2 * math.pi)

    run = Simulation(day, LIMITS, World(look_every_s=4)).run(3_600)
    assert run.worker_minutes < 0.65 * 60 * LIMITS.max_workers
    assert run.worst_lag_s() <= 25
    assert len(run.changes()) <= 16


@settings(max_examples=15, deadline=None)
@given(
    rates=st.lists(st.floats(0, 150), min_size=4, max_size=12),
    partitions=st.integers(1, 10),
    fewest=st.integers(1, 3),
    start_s=st.floats(1, 40),
    age_s=st.sampled_from([0.0, 2.0]),
)
def test_whatever_comes_the_limits_hold_and_in_the_end_nothing_waits(
    rates: list[float], partitions: int, fewest: int, start_s: float, age_s: float
) -> None:
    limits = Limits(min_workers=fewest, max_workers=6, cool_down_down_s=60)
    world = World(partitions=partitions, start_s=start_s, max_frame_age_s=age_s)
    run = Simulation(recorded(rates, 20), limits, world).run(20 * len(rates))
    run.frames = lambda _: 0.0
    while run.moments[-1].lag_frames >= 1:
        assert run.now_s < 7_200
        run.run(60)
    run.run(4 * limits.cool_down_down_s)
    most = min(6, partitions)
    assert all(min(fewest, most) <= moment.wanted <= most for moment in run.moments[5:])
    assert run.moments[-1].running == min(fewest, most)
    assert all(moment.ready <= moment.running + moment.draining for moment in run.moments)
