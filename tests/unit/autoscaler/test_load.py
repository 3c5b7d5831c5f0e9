from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.load import History, Load, Sample


def history(*samples: Sample, window_s: float = 6) -> History:
    made = History(window_s)
    for sample in samples:
        made.add(sample)
    return made


def load(*samples: Sample) -> Load:
    found = history(*samples).load()
    assert found is not None
    return found


TWO = frozenset({"a", "b"})
FIRST = Sample(at_s=10, written=1_000, done=900, partitions=6, members=TWO)


def test_one_sample_says_nothing_yet() -> None:
    assert history(FIRST).load() is None


def test_two_samples_make_rates() -> None:
    found = load(FIRST, replace(FIRST, at_s=14, written=1_200, done=1_000))
    assert (found.arriving_fps, found.done_fps, found.lag_frames) == (50, 25, 200)
    assert found.lag_s == pytest.approx(198 / 50)
    assert (found.taking, found.settled) == (2, True)


def test_skipped_frames_do_not_count_as_done() -> None:
    found = load(FIRST, replace(FIRST, at_s=14, written=1_200, done=1_200, skipped=100))
    assert (found.done_fps, found.skipped_fps) == (50, 25)


def test_only_a_few_seconds_count_but_always_two_samples() -> None:
    samples = [replace(FIRST, at_s=10 + 2 * n, written=1_000 + n * n) for n in range(10)]
    assert load(*samples).arriving_fps == pytest.approx((81 - 36) / 6)
    assert load(FIRST, replace(FIRST, at_s=100, written=1_090)).arriving_fps == 1


def test_the_newest_rate_sees_a_burst_at_once() -> None:
    found = load(
        FIRST,
        replace(FIRST, at_s=12, written=1_010),
        replace(FIRST, at_s=14, written=1_020),
        replace(FIRST, at_s=16, written=1_220),
    )
    assert (found.newest_fps, found.peak_fps) == (100, 100)
    assert found.arriving_fps < 40


def test_workers_are_busy_while_frames_wait_at_both_ends() -> None:
    idle = replace(FIRST, done=1_000)
    begins = replace(FIRST, at_s=12, written=1_200, done=1_040)
    busy = replace(FIRST, at_s=14, written=1_400, done=1_090)
    assert load(idle, begins).busy_fps is None
    assert load(idle, begins, busy).busy_fps == 25


def test_a_worker_that_comes_or_goes_unsettles_the_whole_window() -> None:
    more = replace(FIRST, at_s=12, members=TWO | {"c"})
    assert not load(FIRST, more).settled
    assert load(FIRST, more).taking == 3
    assert not load(replace(FIRST, settled=False), replace(FIRST, at_s=12)).settled


def test_a_topic_made_anew_begins_a_new_history() -> None:
    made = history(FIRST, replace(FIRST, at_s=12, written=10, done=0))
    assert made.load() is None
    made = history(FIRST, replace(FIRST, at_s=12, partitions=12))
    assert made.load() is None


def test_what_workers_have_in_hand_is_no_lag() -> None:
    assert load(FIRST, replace(FIRST, at_s=12, done=1_000)).lag_s == 0
    assert load(FIRST, replace(FIRST, at_s=12, done=998)).lag_s == 0
    assert load(FIRST, replace(FIRST, at_s=12, done=990)).lag_s > 0


def test_a_slow_camera_does_not_make_workers_look_busy() -> None:
    slow = [replace(FIRST, at_s=10 + 2 * n, written=1_000 + n, done=998 + n) for n in range(4)]
    assert load(*slow).busy_fps is None
