"""How many workers there should be: a pure function of load, limits and what was decided before.

More, when the workers are behind or will be: at once, as many as the load needs by what one worker
was seen to do. Fewer, when for a whole cool-down fewer would have done. In between nothing changes:
they are planned to be busy for 85 % of their time, and more are asked for at 100 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from autoscaler.load import Load

_BUSY = 0.85
_CATCH_UP_S = 30.0
_CATCHING_UP_S = 60.0
_SKIPPED = 0.01
# A rebalance or a dead worker looks like slow workers for some seconds: rates fall slower.
_FASTER, _SLOWER = 0.3, 0.1
_FAR_BEHIND = 10.0
_IDLE_FPS = 0.01


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user asked for.

    Attributes:
        min_workers: never fewer, as long as there are as many partitions.
        max_workers: never more.
        target_lag_s: how far behind the cameras the workers may be.
        cool_down_up_s: after more workers were asked for, time for them to start and to show what
            they bring, before what piled up meanwhile counts.
        cool_down_down_s: fewer must have been enough for so long.
        start_within_s: a worker that takes no frames after so long does not count.
    """

    min_workers: int = 1
    max_workers: int = 4
    target_lag_s: float = 1.0
    cool_down_up_s: float = 20.0
    cool_down_down_s: float = 180.0
    start_within_s: float = 90.0

    def __post_init__(self) -> None:
        """Refuse limits that no number of workers keeps."""
        if not 0 < self.min_workers <= self.max_workers:
            raise ValueError(
                f"MIN_WORKERS={self.min_workers}, MAX_WORKERS={self.max_workers}: "
                "1 <= MIN_WORKERS <= MAX_WORKERS is needed"
            )


@dataclass(frozen=True, slots=True)
class Pool:
    """The workers as the container engine sees them.

    Attributes:
        running: that run, or start, and were not told to stop.
        draining: told to stop, not yet at an end.
    """

    running: int
    draining: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided, and what the next decision needs to know.

    Attributes:
        wanted: workers there should be; where fewer run, they are replaced.
        why: one sentence for the log.
        fps_per_worker: what one does, as far as it was seen; None until one did anything.
        proven: whether that was seen of workers with more work than they could do: until then
            it is only the least that one can do.
        grown_at_s: when more were last asked for.
        calm_since_s: since when the number has not changed, nobody was behind, and every look had
            an answer; None before the first.
        needs: how many would have done and when, the highest of the cool-down first.
        short_since_s: since when fewer take frames than run.
    """

    wanted: int
    why: str = "as it was found"
    fps_per_worker: float | None = None
    proven: bool = False
    grown_at_s: float = -math.inf
    calm_since_s: float | None = None
    needs: tuple[tuple[float, int], ...] = ()
    short_since_s: float | None = None


def decide(load: Load | None, pool: Pool, before: Plan, limits: Limits) -> Plan:
    """The plan from now on.

    Args:
        load: what was measured; None when Kafka did not answer: then all stays as it is.
        pool: the workers there are. More than were wanted have been started by somebody else,
            and are kept until the load shows that fewer do.
        before: the plan until now.
        limits: what the user asked for. Of the partitions there is never less than one per worker.
    """
    if load is None or load.partitions < 1:
        return replace(before, why="nothing is known of the load", calm_since_s=None, needs=())
    plan = _with_bounds(load, pool, before, limits)
    plan = _with_rate(_with_short(load, pool, plan, limits), load)
    behind = _is_behind(load, limits)
    if behind or plan.calm_since_s is None:
        plan = replace(plan, calm_since_s=load.at_s)
    needed = _bounded(
        _needed(load, pool, plan, limits) + _idle(load, pool, plan, limits), load, limits
    )
    plan = _with_need(load, plan, needed, limits)
    outgrown = plan.proven and load.peak_fps > (plan.fps_per_worker or 0.0) * plan.wanted
    if needed > plan.wanted and (behind or outgrown):
        return _grown(load, plan, needed, outgrown, limits)
    return _shrunk(load, pool, plan, behind, limits)


def _grown(load: Load, plan: Plan, needed: int, outgrown: bool, limits: Limits) -> Plan:
    rate = plan.fps_per_worker
    if not plan.proven:
        if load.lag_s < _FAR_BEHIND * limits.target_lag_s:
            return replace(plan, why="behind; first to be seen is what one worker does")
        needed = min(needed, 2 * plan.wanted)
    if not outgrown:
        if not load.settled:
            return replace(plan, why="behind while the partitions are shared out anew")
        if _catches_up(load, limits):
            return replace(plan, why=f"{load.lag_s:.1f} s behind, and catching up")
    comes = f"{load.peak_fps:.1f} frames/s come"
    does = "" if rate is None else f", a worker does {rate:.1f}"
    skips = f", {load.skipped_fps:.1f} are skipped" if load.skipped_fps >= _IDLE_FPS else ""
    return replace(
        plan,
        wanted=needed,
        grown_at_s=load.at_s,
        calm_since_s=load.at_s,
        why=f"{load.lag_s:.1f} s behind: {comes}{does}{skips}",
    )


def _shrunk(load: Load, pool: Pool, plan: Plan, behind: bool, limits: Limits) -> Plan:
    if behind:
        return replace(plan, why=f"{load.lag_s:.1f} s behind, with as many as there should be")
    least = max(need for _, need in plan.needs)
    if least >= plan.wanted and (plan.proven or plan.wanted <= limits.min_workers):
        return replace(plan, why="as many as are needed")
    calm_s = load.at_s - (load.at_s if plan.calm_since_s is None else plan.calm_since_s)
    if calm_s < limits.cool_down_down_s:
        return replace(plan, why="fewer may do, not for long yet")
    if pool.draining or pool.running < plan.wanted or not load.settled:
        return replace(plan, why="fewer may do, once the last change has come to its end")
    if least < plan.wanted:
        wanted, why = max(least, plan.wanted - max(1, plan.wanted // 2)), "fewer do"
    else:
        wanted, why = plan.wanted - 1, "nobody was ever busy: seeing whether one fewer does"
    why += f" for {load.arriving_fps:.1f} frames/s, {limits.cool_down_down_s:g} s long"
    return replace(
        plan, wanted=_bounded(wanted, load, limits), why=why, calm_since_s=load.at_s, needs=()
    )


def _bounded(workers: int, load: Load, limits: Limits) -> int:
    most = min(limits.max_workers, load.partitions)
    return max(min(limits.min_workers, most), min(workers, most))


def _with_bounds(load: Load, pool: Pool, before: Plan, limits: Limits) -> Plan:
    wanted = max(before.wanted, pool.running)
    if wanted == before.wanted == _bounded(wanted, load, limits):
        return before
    return replace(before, wanted=_bounded(wanted, load, limits), calm_since_s=load.at_s)


def _with_short(load: Load, pool: Pool, plan: Plan, limits: Limits) -> Plan:
    """Since when some that run take no frames."""
    if load.taking >= min(pool.running, load.partitions):
        return replace(plan, short_since_s=None)
    if plan.short_since_s is None or load.at_s - plan.grown_at_s < limits.cool_down_up_s:
        return replace(plan, short_since_s=load.at_s)
    return plan


def _idle(load: Load, pool: Pool, plan: Plan, limits: Limits) -> int:
    """Workers that run and will not take frames any more: others are to stand in for them."""
    since_s = plan.short_since_s
    if since_s is None or load.at_s - since_s < limits.start_within_s or not load.settled:
        return 0
    return max(0, min(pool.running, load.partitions) - load.taking)


def _with_rate(plan: Plan, load: Load) -> Plan:
    """What one worker does, seen while nothing changed."""
    if not load.settled or load.taking < 1:
        return plan
    busy, known = load.busy_fps is not None, plan.fps_per_worker
    seen = (load.done_fps if load.busy_fps is None else load.busy_fps) / load.taking
    if seen < _IDLE_FPS:
        return plan
    if busy:
        if known is None or not plan.proven:
            return replace(plan, fps_per_worker=max(seen, known or 0.0), proven=True)
        share = _FASTER if seen > known else _SLOWER
        return replace(plan, fps_per_worker=known + share * (seen - known))
    if known is None or seen > known:
        return replace(plan, fps_per_worker=seen)
    return plan


def _with_need(load: Load, plan: Plan, needed: int, limits: Limits) -> Plan:
    """Remember a need for a cool-down; one that a later and higher one covers is not needed."""
    edge_s = load.at_s - limits.cool_down_down_s
    kept = tuple(each for each in plan.needs if each[0] >= edge_s and each[1] > needed)
    return replace(plan, needs=(*kept, (load.at_s, needed)))


def _needed(load: Load, pool: Pool, plan: Plan, limits: Limits) -> int:
    """Workers for what arrives, and for what piled up, once those that start show their part."""
    if plan.fps_per_worker is None:
        quiet = load.lag_frames < 1 and load.arriving_fps < _IDLE_FPS
        return limits.min_workers if quiet else plan.wanted
    fps = load.peak_fps
    starting = plan.short_since_s is not None and not _idle(load, pool, plan, limits)
    if not starting and load.at_s - plan.grown_at_s >= limits.cool_down_up_s:
        piled_up = max(0.0, load.lag_frames - load.arriving_fps * limits.target_lag_s)
        fps += piled_up / _CATCH_UP_S
    return math.ceil(round(fps / (plan.fps_per_worker * _BUSY), 6))


def _is_skipping(load: Load) -> bool:
    return load.skipped_fps > max(_IDLE_FPS, _SKIPPED * load.arriving_fps)


def _is_behind(load: Load, limits: Limits) -> bool:
    return load.lag_s > limits.target_lag_s or _is_skipping(load)


def _catches_up(load: Load, limits: Limits) -> bool:
    """Whether what piled up, in a dip that is over, is gone soon without anybody's help."""
    gain_fps = load.done_fps + load.skipped_fps - load.arriving_fps
    piled_up = load.lag_frames - load.arriving_fps * limits.target_lag_s
    if _is_skipping(load) or gain_fps <= 0:
        return False
    return piled_up / gain_fps <= _CATCHING_UP_S
