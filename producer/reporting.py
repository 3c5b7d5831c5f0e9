"""What a producer says of its cameras: state, rate, drops."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from producer.addresses import Kind, redact
from producer.camera import Camera, State
from services.lifecycle import metrics

_WINDOW_S = 5.0
_LONGEST_SOURCE = 2_048
_LONGEST_ERROR = 500
_OURS = ("producer-queue", "too-large", "undecodable")


class Rate:
    """Frames per second over the last five seconds, from a count that only grows."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, now_s: float, count: int) -> float:
        """Note the count at a moment; gives the rate up to it."""
        self._seen.append((now_s, count))
        # One older than the window stays, so that the window is always covered.
        while len(self._seen) > 1 and self._seen[1][0] <= now_s - _WINDOW_S:
            self._seen.popleft()
        since_s, before = self._seen[0]
        return max(0.0, (count - before) / (now_s - since_s)) if now_s > since_s else 0.0


@dataclass(frozen=True, slots=True)
class Reported:
    """One camera as the identifier is told of it.

    Attributes:
        name: the camera's.
        state: as `producer.camera.State`.
        kind: what it is.
        source: its address without credentials.
        fps: frames/s of late.
        frames: published since it began.
        drops: left out since it began.
        error: why it does not run, else empty.
        since: when its state began.
        fixed: it is one of SOURCES.
        pushed: somebody pushes its frames.
    """

    name: str
    state: State
    kind: Kind | Literal["push"]
    source: str
    fps: float
    frames: int
    drops: int
    error: str
    since: datetime
    fixed: bool = False
    pushed: bool = False

    def document(self) -> dict[str, str | float | bool]:
        """As JSON."""
        return asdict(self) | {
            "since": self.since.isoformat(),
            "fps": round(self.fps, 2),
            "source": redact(self.source)[:_LONGEST_SOURCE],
            "error": self.error[:_LONGEST_ERROR],
        }


class CameraReport:
    """Follows one camera; its first look is where its drops are counted from."""

    def __init__(self, camera: Camera, *, fixed: bool) -> None:
        self._camera = camera
        self._fixed = fixed
        self._rate = Rate()
        self._drops_before = drops_by_camera()[camera.plan.name]

    def at(self, now_s: float, drops: Counter[str]) -> Reported:
        """How the camera is now.

        Args:
            now_s: monotonic.
            drops: what `drops_by_camera` gives.
        """
        plan, status = self._camera.plan, self._camera.status
        return Reported(
            name=plan.name,
            state=status.state,
            kind=plan.kind,
            source=plan.uri,
            fps=self._rate.at(now_s, self._camera.published),
            frames=self._camera.published,
            drops=drops[plan.name] - self._drops_before,
            error=status.error,
            since=status.since,
            fixed=self._fixed,
        )


def drops_by_camera() -> Counter[str]:
    """Frames that this process has left out, by camera."""
    drops: Counter[str] = Counter()
    for metric in metrics.DROPS.collect():
        for sample in metric.samples:
            if sample.name.endswith("_total") and sample.labels["reason"] in _OURS:
                drops[sample.labels["camera"]] += int(sample.value)
    return drops
