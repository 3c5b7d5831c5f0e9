"""A wish to stop, from a signal or from within, that every loop looks at."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class StopSignal:
    """Set once, never cleared; waiting on it is the only way a service pauses."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def stopped(self) -> bool:
        """Whether the service should come to an end."""
        return self._event.is_set()

    def stop(self) -> None:
        """Ask the service to come to an end."""
        self._event.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Pause for a while; True as soon as the service should end."""
        return self._event.wait(timeout_s)


def install_signal_handlers(stop: StopSignal) -> None:
    """Let SIGTERM and SIGINT set `stop`; only the main thread may call this."""

    def handle(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        stop.stop()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
