"""From two readings of the metrics to the numbers of the time between them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import Counter, Gauge, Histogram

from services.lifecycle import metrics
from services.status.report import (
    MOST_CAMERAS,
    Batches,
    CameraRates,
    Delay,
    Numbers,
    shortened,
)

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """A histogram's state: `buckets` are counts up to and including each edge, not cumulated.

    Attributes:
        buckets: number of observations by the upper edge of their bucket.
        total: sum of what was observed.
    """

    buckets: Mapping[float, float] = field(default_factory=dict)
    total: float = 0.0

    @property
    def count(self) -> float:
        """How many observations there are."""
        return sum(self.buckets.values())

    def since(self, before: Spread) -> Spread:
        """What came since an earlier state."""
        return Spread(
            {edge: max(0.0, n - before.buckets.get(edge, 0.0)) for edge, n in self.buckets.items()},
            max(0.0, self.total - before.total),
        )

    def quantile(self, q: float) -> float:
        """The value below which a share `q` lies, straight lines drawn inside each bucket.

        Above the last finite edge nothing more is known than that edge. 0 when empty.
        """
        wanted = q * self.count
        below, seen = 0.0, 0.0
        for edge in sorted(self.buckets):
            number = self.buckets[edge]
            if number and seen + number >= wanted:
                return (
                    below
                    if math.isinf(edge)
                    else below + (edge - below) * ((wanted - seen) / number)
                )
            seen += number
            below = below if math.isinf(edge) else edge
        return below

    @property
    def most(self) -> float:
        """Upper edge of the highest bucket that has something; 0 when empty."""
        filled = [edge for edge, number in self.buckets.items() if number]
        finite = [edge for edge in self.buckets if not math.isinf(edge)]
        return min(max(filled), max(finite)) if filled else 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The metrics at one moment.

    Attributes:
        at_s: seconds, monotonic.
        counts: counters and gauges by name, then by the values of their labels.
        spreads: histograms likewise.
    """

    at_s: float
    counts: Mapping[str, Mapping[Labels, float]] = field(default_factory=dict)
    spreads: Mapping[str, Mapping[Labels, Spread]] = field(default_factory=dict)


_COUNTS: Mapping[str, Counter | Gauge] = {
    "frames_in": metrics.FRAMES_IN,
    "frames_out": metrics.FRAMES_OUT,
    "drawn": metrics.DRAWN,
    "faces": metrics.FACES,
    "drops": metrics.DROPS,
    "late": metrics.LATE_FRAMES,
    "dead_letters": metrics.DEAD_LETTERS,
    "reconnects": metrics.RECONNECTS,
    "lag": metrics.CONSUMER_LAG,
    "watchers": metrics.WATCHERS,
}
_SPREADS: Mapping[str, Histogram] = {
    "batch": metrics.BATCH_SIZE,
    "stages": metrics.STAGE_SECONDS,
    "delay": metrics.END_TO_END_SECONDS,
}


def read_metrics(at_s: float) -> Reading:
    """Read what the numbers are made from, out of this process's registry.

    Args:
        at_s: the time now, seconds, monotonic.
    """
    counts = {name: _values(metric) for name, metric in _COUNTS.items()}
    return Reading(at_s, counts, {name: _spreads(metric) for name, metric in _SPREADS.items()})


def numbers_between(before: Reading, after: Reading, memory_mb: float = 0.0) -> Numbers:
    """The numbers of the time between two readings.

    A process begins with counters at zero: what `before` does not name counts from there.

    Args:
        before: the earlier reading.
        after: the later one.
        memory_mb: resident memory, as it is now.
    """
    seconds = max(after.at_s - before.at_s, 1e-3)

    def grown(name: str) -> dict[Labels, float]:
        old = before.counts.get(name, {})
        return {
            labels: max(0.0, value - old.get(labels, 0.0))
            for labels, value in after.counts.get(name, {}).items()
        }

    def grown_spread(name: str) -> dict[Labels, Spread]:
        old = before.spreads.get(name, {})
        return {
            labels: spread.since(old.get(labels, Spread()))
            for labels, spread in after.spreads.get(name, {}).items()
        }

    def rate(count: float) -> float:
        return round(count / seconds, 3)

    came, went = grown("frames_in"), grown("frames_out")
    cameras = _cameras(came, went, seconds)
    batch = _together(grown_spread("batch").values())
    delay = _together(grown_spread("delay").values())
    lag = after.counts.get("lag", {})
    drops: defaultdict[str, float] = defaultdict(float)
    for (_, reason), number in grown("drops").items():
        drops[reason] += number
    return Numbers(
        interval_s=round(seconds, 3),
        frames_in_per_s=rate(sum(came.values())),
        frames_out_per_s=rate(sum(went.values()) + sum(grown("drawn").values())),
        faces_per_s=rate(sum(grown("faces").values())),
        cameras=tuple(cameras[:MOST_CAMERAS]),
        more_cameras=max(0, len(cameras) - MOST_CAMERAS),
        batch=Batches(mean=round(batch.total / batch.count, 2), most=batch.most)
        if batch.count
        else None,
        stages_ms={
            labels[0]: round(1_000 * spread.total / spread.count, 3)
            for labels, spread in grown_spread("stages").items()
            if spread.count
        },
        delay=Delay(
            p50_ms=round(1_000 * delay.quantile(0.5), 1),
            p95_ms=round(1_000 * delay.quantile(0.95), 1),
        )
        if delay.count
        else None,
        drops={reason: round(number) for reason, number in drops.items() if number},
        late=round(sum(grown("late").values())),
        dead_letters=round(sum(grown("dead_letters").values())),
        reconnects=round(sum(grown("reconnects").values())),
        lag=round(sum(lag.values())) if lag else None,
        watchers=round(sum(after.counts.get("watchers", {}).values())),
        memory_mb=round(memory_mb, 1),
    )


def _cameras(
    came: Mapping[Labels, float], went: Mapping[Labels, float], seconds: float
) -> list[CameraRates]:
    """Every camera that had frames, the busiest first."""
    busy = {labels for counts in (came, went) for labels, number in counts.items() if number}
    order = sorted(
        busy, key=lambda labels: (-came.get(labels, 0.0) - went.get(labels, 0.0), labels)
    )
    return [
        CameraRates(
            camera=shortened(labels[0]) or "?",
            in_per_s=round(came.get(labels, 0.0) / seconds, 3),
            out_per_s=round(went.get(labels, 0.0) / seconds, 3),
        )
        for labels in order
    ]


def _together(spreads: Iterable[Spread]) -> Spread:
    buckets: defaultdict[float, float] = defaultdict(float)
    total = 0.0
    for spread in spreads:
        total += spread.total
        for edge, number in spread.buckets.items():
            buckets[edge] += number
    return Spread(dict(buckets), total)


def _values(metric: Counter | Gauge) -> dict[Labels, float]:
    return {
        tuple(sample.labels.values()): sample.value
        for family in metric.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def _spreads(metric: Histogram) -> dict[Labels, Spread]:
    buckets: defaultdict[Labels, dict[float, float]] = defaultdict(dict)
    totals: dict[Labels, float] = {}
    for family in metric.collect():
        for sample in family.samples:
            labels = tuple(value for name, value in sample.labels.items() if name != "le")
            if sample.name.endswith("_bucket"):
                buckets[labels][float(sample.labels["le"])] = sample.value
            elif sample.name.endswith("_sum"):
                totals[labels] = sample.value
    return {labels: Spread(_apart(found), totals[labels]) for labels, found in buckets.items()}


def _apart(cumulated: Mapping[float, float]) -> dict[float, float]:
    """Counts of single buckets, from those that include every bucket below."""
    apart, below = {}, 0.0
    for edge in sorted(cumulated):
        apart[edge] = cumulated[edge] - below
        below = cumulated[edge]
    return apart
