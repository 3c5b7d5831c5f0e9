"""Who asks: what the gate found out about a request."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever sent a request.

    Attributes:
        name: of the user or token; empty for somebody who has not logged in.
        role: `viewer`, `operator` or `admin`; empty for a token or nobody.
        scopes: what they may do.
        csrf: what their forms must carry; empty where no cookie speaks for them.
        local: whether they are let in without login, because only this machine can ask.
        blur: whether they are shown unknown faces only blurred.
    """

    name: str
    role: str
    scopes: frozenset[str]
    csrf: str = field(default="", repr=False)
    local: bool = False
    blur: bool = False

    def may(self, scope: str) -> bool:
        """Whether they may do what a scope stands for."""
        return scope in self.scopes


NOBODY = Visitor("", "", frozenset())
