"""Status reports for tests, as services send them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.status.report import Batches, Delay, HealthPart, Numbers, StatusReport

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class Clock:
    """A time that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def report(
    at: datetime = NOW,
    service: str = "worker",
    instance: str = "box-1",
    *,
    out_per_s: float = 10.0,
    in_per_s: float | None = None,
    ready: bool = True,
    ending: bool = False,
    started_at: datetime = NOW - timedelta(hours=1),
    every_s: float = 2.0,
    p95_ms: float | None = None,
    batch_mean: float | None = None,
    version: str = "0.1.0",
    drops: dict[str, int] | None = None,
    **about: str,
) -> StatusReport:
    return StatusReport(
        service=service,
        instance=instance,
        version=version,
        started_at=started_at,
        at=at,
        every_s=every_s,
        ending=ending,
        ready=ready,
        parts={"partitions": HealthPart(ok=ready, detail="" if ready else "none yet")},
        numbers=Numbers(
            interval_s=every_s,
            frames_in_per_s=out_per_s if in_per_s is None else in_per_s,
            frames_out_per_s=out_per_s,
            delay=None if p95_ms is None else Delay(p50_ms=p95_ms / 2, p95_ms=p95_ms),
            batch=None if batch_mean is None else Batches(mean=batch_mean, most=8),
            memory_mb=100,
            drops=drops or {},
        ),
        about=about,
    )
