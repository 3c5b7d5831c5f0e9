"""Keeps one child process no longer than its parent: run as a script, between the two.

`python keeper.py STOP_TIMEOUT_S COMMAND...` writes the child's process id on a line of its own,
then waits. When its standard input closes, or its parent is gone, it asks the child to stop with
SIGTERM and kills it when it has not after STOP_TIMEOUT_S. It exits with the child's status.

A process in between, rather than PR_SET_PDEATHSIG set by the service itself: that signal is sent
when the starting *thread* ends, and setting it needs code between fork and exec of a process with
threads. Here there is one thread, and it lives as long as the child.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

_POLL_S = 0.5
_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> int:
    """Start the command and keep it; see the module."""
    stop_timeout_s = float(argv[0])
    parent = os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    child = subprocess.Popen(  # noqa: S603 - our parent's command
        argv[1:],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        preexec_fn=_prepare_child,  # noqa: PLW1509 - one thread here
    )
    with contextlib.suppress(BrokenPipeError):  # the parent is gone: the loop sees it too
        print(child.pid, flush=True)  # noqa: T201
    while child.poll() is None and os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], _POLL_S)
        if readable:
            break
    if child.poll() is None:
        child.terminate()
        _kill_after(child, time.monotonic() + stop_timeout_s)
    return child.wait() & 0xFF


def _prepare_child() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _kill_after(child: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
