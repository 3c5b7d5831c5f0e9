"""What there is to find on the machine itself."""

from __future__ import annotations

import shutil
from pathlib import Path

from services.doctor.check import Check

_ENOUGH_FREE_BYTES = 2_000_000_000


def disk(folder: Path) -> Check:
    """Enough room where history is kept."""
    there = folder
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    detail = f"{folder}: {free / 1e9:.1f} GB free"
    if free < _ENOUGH_FREE_BYTES:
        return Check("disk", "fail", detail, "free some, or set DATA_DIR elsewhere")
    return Check("disk", "ok", detail)
