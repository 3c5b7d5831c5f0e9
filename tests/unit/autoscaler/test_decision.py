from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.decision import Limits, Plan, Pool, decide
from autoscaler.load import Load

LIMITS = Limits(min_workers=1, max_workers=8)
QUIET = Load(
    at_s=1_000,
    lag_frames=0,
    arriving_fps=5,
    newest_fps=5,
    done_fps=5,
    busy_fps=None,
    skipped_fps=0,
    partitions=12,
    taking=4,
    settled=True,
)
BURST = replace(QUIET, lag_frames=500, arriving_fps=200, newest_fps=200, done_fps=100, busy_fps=100)
KNOWN = Plan(wanted=4, fps_per_worker=25, proven=True, calm_since_s=0)


def test_a_burst_is_met_at_once_by_as_many_as_it_needs() -> None:
    plan = decide(BURST, Pool(4), replace(KNOWN, wanted=4), replace(LIMITS, max_workers=20))
    assert plan.wanted == 10
    assert "200.0 frames/s come, a worker does 25.0" in plan.why


def test_what_will_be_too_much_counts_before_anything_waits() -> None:
    coming = replace(QUIET, newest_fps=110, arriving_fps=60)
    assert decide(coming, Pool(4), KNOWN, LIMITS).wanted == 6


def test_a_little_more_than_planned_changes_nothing() -> None:
    busy = replace(QUIET, arriving_fps=95, newest_fps=95, done_fps=95)
    assert decide(busy, Pool(4), KNOWN, LIMITS).wanted == 4


def test_before_anyone_knows_what_a_worker_does_it_is_looked_at_first() -> None:
    unknown = Plan(wanted=1, calm_since_s=0)
    unseen = replace(BURST, taking=1, busy_fps=None, done_fps=12)
    assert decide(unseen, Pool(1), unknown, LIMITS).wanted == 1
    seen = replace(BURST, taking=1, busy_fps=25)
    assert decide(seen, Pool(1), unknown, LIMITS).wanted == 8


def test_what_a_worker_does_is_taken_from_those_that_are_busy() -> None:
    plan = decide(BURST, Pool(4), Plan(wanted=4), LIMITS)
    assert plan.proven
    assert plan.fps_per_worker == 25


def test_skipped_frames_are_no_work_done() -> None:
    live = replace(QUIET, lag_frames=90, arriving_fps=100, newest_fps=100, skipped_fps=50)
    plan = decide(live, Pool(4), replace(KNOWN, wanted=2), LIMITS)
    assert plan.wanted == 5
    assert "50.0 are skipped" in plan.why


def test_without_an_answer_of_kafka_nothing_changes_and_the_cool_down_begins_anew() -> None:
    plan = decide(None, Pool(4), KNOWN, LIMITS)
    assert plan.wanted == 4
    after = decide(QUIET, Pool(4), plan, LIMITS)
    assert after.wanted == 4
    later = replace(QUIET, at_s=1_000 + LIMITS.cool_down_down_s)
    assert decide(later, Pool(4), after, LIMITS).wanted < 4


def test_a_dip_while_partitions_are_shared_out_anew_is_waited_for() -> None:
    dip = replace(QUIET, lag_frames=300, arriving_fps=80, newest_fps=80, done_fps=10, settled=False)
    assert decide(dip, Pool(4), KNOWN, LIMITS).wanted == 4


def test_workers_that_catch_up_by_themselves_need_no_help() -> None:
    after = replace(QUIET, lag_frames=300, arriving_fps=84, newest_fps=84, done_fps=99)
    plan = decide(after, Pool(4), KNOWN, LIMITS)
    assert plan.wanted == 4
    assert plan.why.endswith("catching up")


def test_many_that_wait_count_once_the_last_ones_have_started() -> None:
    piled = replace(QUIET, lag_frames=6_000, arriving_fps=80, newest_fps=80, done_fps=80)
    just_grown = replace(KNOWN, grown_at_s=995)
    assert decide(piled, Pool(4), just_grown, LIMITS).wanted == 4
    assert decide(piled, Pool(4), KNOWN, LIMITS).wanted == 8


def test_fewer_only_after_a_cool_down_and_half_of_them_at_most() -> None:
    early = replace(KNOWN, calm_since_s=1_000 - LIMITS.cool_down_down_s + 1)
    assert decide(QUIET, Pool(4), early, LIMITS).wanted == 4
    late = replace(KNOWN, calm_since_s=1_000 - LIMITS.cool_down_down_s)
    assert decide(QUIET, Pool(4), late, LIMITS).wanted == 2


def test_the_highest_need_of_the_cool_down_counts() -> None:
    plan = replace(KNOWN, needs=((900.0, 3),))
    assert decide(QUIET, Pool(4), plan, LIMITS).wanted == 3


def test_nobody_else_is_stopped_while_one_drains() -> None:
    assert decide(QUIET, Pool(4, draining=1), KNOWN, LIMITS).wanted == 4
    assert decide(QUIET, Pool(4), KNOWN, LIMITS).wanted == 2


def test_workers_that_were_never_busy_are_tried_with_one_fewer() -> None:
    plan = Plan(wanted=4, fps_per_worker=1.25, calm_since_s=0)
    assert decide(QUIET, Pool(4), plan, LIMITS).wanted == 3


def test_more_that_somebody_else_started_stay_for_a_cool_down() -> None:
    plan = decide(QUIET, Pool(6), KNOWN, LIMITS)
    assert plan.wanted == 6
    assert plan.calm_since_s == QUIET.at_s


def test_a_worker_that_takes_no_frames_any_more_is_made_up_for() -> None:
    one_short = replace(BURST, taking=3, busy_fps=75, done_fps=75, arriving_fps=84, newest_fps=84)
    plan = decide(one_short, Pool(4), replace(KNOWN, short_since_s=995), LIMITS)
    assert plan.wanted == 4
    plan = decide(one_short, Pool(4), replace(KNOWN, short_since_s=900), LIMITS)
    assert plan.wanted >= 5


def test_a_topic_with_few_partitions_has_few_workers_whatever_was_asked_for() -> None:
    narrow = replace(BURST, partitions=2)
    assert decide(narrow, Pool(4), KNOWN, replace(LIMITS, min_workers=3)).wanted == 2


def test_limits_that_nothing_keeps_are_refused() -> None:
    with pytest.raises(ValueError, match="MIN_WORKERS=3, MAX_WORKERS=2"):
        Limits(min_workers=3, max_workers=2)


LOADS = st.none() | st.builds(
    Load,
    at_s=st.floats(0, 1e6),
    lag_frames=st.integers(0, 10**9),
    arriving_fps=st.floats(0, 1e6),
    newest_fps=st.floats(0, 1e6),
    done_fps=st.floats(0, 1e6),
    busy_fps=st.none() | st.floats(0, 1e6),
    skipped_fps=st.floats(0, 1e6),
    partitions=st.integers(0, 40),
    taking=st.integers(0, 40),
    settled=st.booleans(),
)
BOUNDS = st.tuples(st.integers(1, 30), st.integers(1, 30)).map(sorted)


@given(st.lists(st.tuples(LOADS, st.integers(1, 30), st.integers(0, 3)), max_size=30), BOUNDS)
def test_whatever_is_measured_the_limits_hold(
    looks: list[tuple[Load | None, int, int]], bounds: list[int]
) -> None:
    limits = Limits(min_workers=bounds[0], max_workers=bounds[1], cool_down_down_s=5)
    plan, at_s = Plan(wanted=bounds[0]), 0.0
    for load, running, draining in looks:
        at_s += 2
        before = plan
        plan = decide(load and replace(load, at_s=at_s), Pool(running, draining), before, limits)
        assert plan.why
        if load is None or load.partitions < 1:
            assert plan.wanted == before.wanted
            continue
        most = min(limits.max_workers, load.partitions)
        assert min(limits.min_workers, most) <= plan.wanted <= most
        if draining:
            assert plan.wanted >= min(before.wanted, most)


@given(st.floats(1, 1_000), st.floats(1, 100), st.integers(1, 12))
def test_a_steady_load_that_is_met_changes_nothing_ever(
    arriving_fps: float, fps_per_worker: float, workers: int
) -> None:
    """No flapping: what is enough to grow to is not too much to keep."""
    limits = Limits(max_workers=1_000)
    behind = replace(
        BURST,
        arriving_fps=arriving_fps,
        newest_fps=arriving_fps,
        lag_frames=int(3 * arriving_fps) + 2,
        busy_fps=fps_per_worker * workers,
        taking=workers,
        partitions=1_000,
    )
    plan = decide(behind, Pool(workers), Plan(wanted=workers), limits)
    wanted = plan.wanted
    steady = replace(behind, lag_frames=0, busy_fps=None, done_fps=arriving_fps, taking=wanted)
    for look in range(1, 400):
        plan = decide(replace(steady, at_s=1_000 + look * 2), Pool(plan.wanted), plan, limits)
        assert plan.wanted <= wanted
    for_sure = arriving_fps / fps_per_worker
    assert plan.wanted >= min(wanted, for_sure)
