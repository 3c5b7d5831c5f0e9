"""A wish to stop, from a signal or from within, that every loop looks at."""

from __future__ import annotations

import queue
import signal
from types import FrameType


class StopSignal:
    """Set once, never cleared; waiting on it is the only way a service pauses.

    `stop` may be called from a signal handler at any moment: a `threading.Event` may not, as the
    thread it interrupts may hold the event's own lock.
    """

    def __init__(self) -> None:
        self._stopped = False
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()

    @property
    def stopped(self) -> bool:
        """Whether the service should come to an end."""
        return self._stopped

    def stop(self) -> None:
        """Ask the service to come to an end."""
        self._stopped = True
        self._wake.put(None)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Pause for a while; True as soon as the service should end."""
        if not self._stopped:
            try:
                self._wake.get(timeout=None if timeout_s is None else max(0.0, timeout_s))
            except queue.Empty:
                return self._stopped
            self._wake.put(None)  # for the next thread that waits
        return True


def install_signal_handlers(stop: StopSignal) -> None:
    """Let SIGTERM and SIGINT set `stop`; only the main thread may call this.

    A second Ctrl-C does not wait for the end of what the first one asked for.
    """

    def handle(signum: int, frame: FrameType | None) -> None:
        del frame
        if signum == signal.SIGINT and stop.stopped:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
        stop.stop()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
