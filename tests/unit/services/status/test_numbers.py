"""From two readings of the metrics to the numbers of the time between."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lifecycle import metrics
from services.status.numbers import Reading, Spread, numbers_between, read_metrics
from services.status.report import MOST_CAMERAS

Counts = dict[str, dict[tuple[str, ...], float]]
EMPTY = Reading(100.0)


def test_counts_become_rates_of_the_time_between() -> None:
    before = Reading(100.0, {"frames_in": {("door",): 50.0}, "faces": {("door",): 7.0}})
    after = Reading(
        102.0,
        {
            "frames_in": {("door",): 100.0, ("hall",): 10.0},
            "frames_out": {("door",): 30.0},
            "faces": {("door",): 12.0},
        },
    )
    numbers = numbers_between(before, after, memory_mb=81.26)
    assert numbers.interval_s == 2.0
    assert numbers.frames_in_per_s == 30.0
    assert numbers.frames_out_per_s == 15.0
    assert numbers.faces_per_s == 2.5
    assert numbers.memory_mb == 81.3
    assert [(c.camera, c.in_per_s, c.out_per_s) for c in numbers.cameras] == [
        ("door", 25.0, 15.0),
        ("hall", 5.0, 0.0),
    ]


def test_a_camera_without_frames_is_left_out() -> None:
    counts: Counts = {"frames_in": {("door",): 50.0}}
    assert numbers_between(Reading(0.0, counts), Reading(2.0, counts)).cameras == ()


def test_only_the_busiest_cameras_are_named_and_the_others_counted() -> None:
    frames: dict[tuple[str, ...], float] = {
        (f"camera-{n}",): float(n + 1) for n in range(MOST_CAMERAS + 36)
    }
    numbers = numbers_between(EMPTY, Reading(101.0, {"frames_in": frames}))
    assert len(numbers.cameras) == MOST_CAMERAS
    assert numbers.more_cameras == 36
    assert numbers.cameras[0].camera == f"camera-{MOST_CAMERAS + 35}"
    assert numbers.frames_in_per_s == sum(frames.values())


def test_a_camera_name_that_is_too_long_does_no_harm() -> None:
    frames: dict[tuple[str, ...], float] = {("x" * 5_000,): 1.0, ("",): 2.0}
    numbers = numbers_between(EMPTY, Reading(101.0, {"frames_in": frames}))
    assert [len(c.camera) for c in numbers.cameras] == [1, 200]


def test_drops_are_summed_by_reason_and_what_did_not_happen_is_not_named() -> None:
    before = Reading(0.0, {"drops": {("door", "stale"): 5.0, ("door", "late"): 1.0}})
    after = Reading(
        2.0,
        {"drops": {("door", "stale"): 7.0, ("hall", "stale"): 3.0, ("door", "late"): 1.0}},
    )
    assert numbers_between(before, after).drops == {"stale": 5}


def test_stages_have_the_mean_of_what_came_since() -> None:
    before = Reading(0.0, {}, {"stages": {("decode",): Spread({1.0: 10.0}, 5.0)}})
    after = Reading(
        2.0,
        {},
        {"stages": {("decode",): Spread({1.0: 14.0}, 5.2), ("settle",): Spread({1.0: 0.0}, 0.0)}},
    )
    assert numbers_between(before, after).stages_ms == {"decode": 50.0}


def test_batches_have_their_mean_and_the_edge_of_the_largest() -> None:
    before = Reading(0.0, {}, {"batch": {(): Spread({1.0: 3.0, 8.0: 1.0, math.inf: 0.0}, 11.0)}})
    after = Reading(2.0, {}, {"batch": {(): Spread({1.0: 5.0, 8.0: 2.0, math.inf: 0.0}, 19.0)}})
    batch = numbers_between(before, after).batch
    assert batch is not None
    assert batch.mean == round(8 / 3, 2)
    assert batch.most == 8.0
    assert numbers_between(after, after).batch is None


def test_delays_of_all_cameras_are_taken_together() -> None:
    after = Reading(
        2.0,
        {},
        {
            "delay": {
                ("door",): Spread({0.1: 50.0, 0.25: 0.0, math.inf: 0.0}, 4.0),
                ("hall",): Spread({0.1: 0.0, 0.25: 50.0, math.inf: 0.0}, 9.0),
            }
        },
    )
    delay = numbers_between(Reading(0.0), after).delay
    assert delay is not None
    assert delay.p50_ms == 100.0
    assert delay.p95_ms == pytest.approx(235.0)
    assert numbers_between(after, after).delay is None


def test_above_the_last_edge_nothing_more_is_known_than_that_edge() -> None:
    assert Spread({30.0: 0.0, math.inf: 4.0}, 400.0).quantile(0.5) == 30.0
    assert Spread({30.0: 0.0, math.inf: 4.0}, 400.0).most == 30.0
    assert Spread().quantile(0.5) == 0.0


@given(st.lists(st.floats(0, 40), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], q: float) -> None:
    edges = [0.5, 1.0, 5.0, 30.0, math.inf]
    buckets = dict.fromkeys(edges, 0.0)
    for value in values:
        buckets[next(edge for edge in edges if value <= edge)] += 1
    true = sorted(values)[max(0, math.ceil(q * len(values) - 1e-9) - 1)]
    upper = next(edge for edge in edges if true <= edge)
    lower = max([0.0, *(edge for edge in edges if edge < upper)])
    assert lower <= Spread(buckets, sum(values)).quantile(q) <= min(upper, 30.0) + 1e-9


def test_the_metrics_of_this_process_are_read() -> None:
    before = read_metrics(0.0)
    metrics.FRAMES_IN.labels("numbers-test").inc(4)
    metrics.DROPS.labels("numbers-test", "stale").inc(3)
    metrics.DEAD_LETTERS.labels("frames.raw", "empty", "numbers-test").inc()
    metrics.END_TO_END_SECONDS.labels("numbers-test").observe(0.2)
    metrics.STAGE_SECONDS.labels("decode").observe(0.004)
    metrics.BATCH_SIZE.observe(3)
    numbers = numbers_between(before, read_metrics(2.0))
    assert numbers.frames_in_per_s == 2.0
    assert numbers.drops == {"stale": 3}
    assert numbers.dead_letters == 1
    assert numbers.stages_ms == {"decode": 4.0}
    assert numbers.batch is not None
    assert (numbers.batch.mean, numbers.batch.most) == (3.0, 4.0)
    assert numbers.delay is not None
    assert 100 < numbers.delay.p50_ms < 250


def test_a_counter_that_went_back_counts_nothing() -> None:
    before = Reading(0.0, {"frames_in": {("door",): 50.0}})
    after = Reading(2.0, {"frames_in": {("door",): 1.0}})
    assert numbers_between(before, after).frames_in_per_s == 0.0
