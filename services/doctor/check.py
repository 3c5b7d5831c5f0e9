"""One finding: what was looked at, how it stands, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `fix` is what to do, empty when nothing is to be done."""

    what: str
    state: State
    detail: str
    fix: str = ""
