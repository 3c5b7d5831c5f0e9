"""Whether a service is alive and whether it is ready, as its parts report it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

ALIVE_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Part:
    """One thing a service needs: `models`, `partitions`, `database`."""

    ok: bool
    detail: str


class Health:
    """Collects what the parts of a service say; safe to use from any thread.

    A service is ready when every part named so far is, and alive while its loop beats.

    Args:
        parts: what must report before the service counts as ready.
        clock: seconds, monotonic.
    """

    def __init__(self, *parts: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._parts = {name: Part(ok=False, detail="starting") for name in parts}
        self._last_beat_s: float | None = None

    def ready(self, name: str, ok: bool, detail: str = "") -> None:
        """Say how one part stands."""
        with self._lock:
            self._parts[name] = Part(ok, detail)

    def beat(self) -> None:
        """Say that the main loop turns; once it has, `alive` expects it to go on."""
        self._last_beat_s = self._clock()

    @property
    def is_ready(self) -> bool:
        """Whether every part is."""
        with self._lock:
            return all(part.ok for part in self._parts.values())

    @property
    def is_alive(self) -> bool:
        """Whether the loop has turned within a minute, or has not begun yet."""
        last_s = self._last_beat_s
        return last_s is None or self._clock() - last_s < ALIVE_WITHIN_S

    def report(self) -> dict[str, object]:
        """What `/readyz` answers."""
        with self._lock:
            parts = {n: {"ok": p.ok, "detail": p.detail} for n, p in self._parts.items()}
        return {"ready": all(p["ok"] for p in parts.values()), "parts": parts}
