"""How busy the live side is, told by one thread and asked by others."""

from __future__ import annotations

from dataclasses import dataclass

_BUSY_FRAMES = 50


@dataclass(slots=True)
class Load:
    """What waits to be read.

    Attributes:
        frames_behind: processed frames that are in Kafka and not read yet.
    """

    frames_behind: int = 0

    @property
    def is_busy(self) -> bool:
        """Whether work that can wait should."""
        return self.frames_behind > _BUSY_FRAMES
