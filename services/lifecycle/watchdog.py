"""Ends a process whose loop hangs, so that whatever started it can start it anew."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from services.lifecycle.health import Health

log = structlog.get_logger()

EXIT_CODE = 70  # EX_SOFTWARE
_LOOK_EVERY_S = 5.0


@contextmanager
def watched(
    health: Health, end: Callable[[int], object] = os._exit, every_s: float = _LOOK_EVERY_S
) -> Iterator[None]:
    """End the process, without cleaning up, once its loop has not turned for a minute.

    A call into a library that never returns takes no signal and no exception: ending the process
    is all that is left, and what it had not committed is done again by the next.

    Args:
        health: says whether the loop turns.
        end: takes the exit status.
        every_s: seconds between two looks.
    """
    over = threading.Event()

    def watch() -> None:
        while not over.wait(every_s):
            if not health.is_alive:
                log.critical("the loop hangs: ending the process")
                end(EXIT_CODE)
                return

    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
