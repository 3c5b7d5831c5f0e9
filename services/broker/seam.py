"""What every embedded broker offers to the rest of facestream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

BrokerKind = Literal["kafka", "memory"]
BrokerChoice = Literal["kafka", "memory", "auto"]


class Broker(Protocol):
    """A running broker on this machine; whoever started it stops it.

    Attributes:
        kind: which broker it is.
        bootstrap_servers: `host:port,...` for clients, on the loopback interface.
        explain: one line for people: what runs and what that means.
        environment: variables with which services find it and do well on it.
    """

    kind: BrokerKind
    bootstrap_servers: str
    explain: str
    environment: Mapping[str, str]

    def stop(self) -> None:
        """Shut it down and wait; a second call does nothing."""
