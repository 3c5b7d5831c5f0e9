"""Whose a camera's name is in this process, so that no two sources share one."""

from __future__ import annotations

from collections.abc import Iterable


class Names:
    """Names of cameras by where they come from; each set is replaced whole, by one thread.

    Attributes:
        fixed: of SOURCES.
        assigned: given by the identifier, running here.
        pushed: somebody pushes their frames here.
        elsewhere: the identifier says that another producer has them.
    """

    def __init__(self, fixed: Iterable[str] = ()) -> None:
        self.fixed = frozenset(fixed)
        self.assigned: frozenset[str] = frozenset()
        self.pushed: frozenset[str] = frozenset()
        self.elsewhere: frozenset[str] = frozenset()

    def bars_running(self, name: str) -> str:
        """Why a camera that was given may not run here; empty when it may."""
        if name in self.fixed:
            return "this producer has a source of that name in SOURCES"
        return "frames of that name are pushed to this producer" if name in self.pushed else ""

    def bars_pushing(self, name: str) -> str:
        """Why nobody may push frames under a name; empty when they may."""
        if name in self.fixed or name in self.assigned:
            return "this producer runs a camera of that name"
        return "there is another camera of that name" if name in self.elsewhere else ""
