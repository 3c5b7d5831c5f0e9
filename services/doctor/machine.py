"""What there is to find on the machine itself."""

from __future__ import annotations

import shutil
from pathlib import Path

from services.doctor.check import Check
from services.doctor.words import in_english
from services.words import Say

_ENOUGH_FREE_BYTES = 2_000_000_000


def disk(folder: Path, say: Say = in_english) -> Check:
    """Enough room where history is kept."""
    there = folder
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    detail = say("disk_free", folder=folder, gb=f"{free / 1e9:.1f}")
    if free < _ENOUGH_FREE_BYTES:
        return Check(say("disk"), "fail", detail, say("disk_free_fix"))
    return Check(say("disk"), "ok", detail)
