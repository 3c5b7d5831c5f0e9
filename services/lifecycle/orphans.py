"""A child that does not outlive its parent, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PARENT_VARIABLE = "FACESTREAM_PARENT_PID"
_PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent named by `FACESTREAM_PARENT_PID` dies.

    Does nothing where no parent is named, or where there is no prctl (not Linux).
    """
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if str(os.getppid()) != parent:  # it died before the kernel was asked
        os.kill(os.getpid(), signal.SIGTERM)
