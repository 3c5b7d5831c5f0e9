"""One process at a time: a lock that ends with its holder, however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

log = structlog.get_logger()


@contextmanager
def only_one(path: Path, what: str) -> Iterator[None]:
    """Hold the lock `path`, waiting for whoever holds it; `what` they do goes into the log.

    The file stays: removing it would let two in.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another process", which=what)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file gives the lock back
