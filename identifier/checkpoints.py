"""A frame's offset moves once the memory has its tracks, too: nothing seen is forgotten."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from identifier.offsets import OffsetLedger, Ticket
from identifier.tracks.identity import TrackIdentities
from identifier.tracks.values import TrackState

_EVERY_S = 0.5


class Memory(Protocol):
    """What writes tracks down; every method is quick, from any thread."""

    def submit(self, changes: Sequence[TrackState], done: Callable[[], None]) -> None:
        """Write these states, and say so once they are in the database, events published."""


class Checkpoints:
    """Hands changed tracks to the memory, one batch at a time, and waits for its word.

    Args:
        tracks: asked for what has changed.
        ledger: a frame's ticket there waits for the memory besides Kafka.
        memory: None remembers nothing.
    """

    def __init__(
        self, tracks: TrackIdentities[Ticket], ledger: OffsetLedger, memory: Memory | None
    ) -> None:
        self._tracks = tracks
        self._ledger = ledger
        self._memory = memory
        self._waiting: list[Ticket] = []
        self._written: queue.SimpleQueue[list[Ticket]] = queue.SimpleQueue()
        self._under_way = 0
        self._handed_s = 0.0

    def released(self, ticket: Ticket) -> None:
        """A frame with tracks is about to be published."""
        if self._memory is not None:
            self._ledger.wait_for_another(ticket)
            self._waiting.append(ticket)

    def turn(self) -> None:
        """Take in what is written, hand over what has changed; waits for nothing."""
        while not self._written.empty():
            self._settle(self._written.get())
        now_s = time.monotonic()
        if not self._under_way and now_s - self._handed_s >= _EVERY_S:
            self._handed_s = now_s
            self._hand_over()

    def flush(self, timeout_s: float) -> bool:
        """Have everything written; whether it was, in that time."""
        until_s = time.monotonic() + timeout_s
        self._hand_over()
        while self._under_way:
            try:
                self._settle(self._written.get(timeout=max(0.0, until_s - time.monotonic())))
            except queue.Empty:
                return False
        return True

    def _hand_over(self) -> None:
        states = self._tracks.changes(everything=True)
        tickets, self._waiting = self._waiting, []
        if self._memory is not None and (states or tickets):
            self._under_way += 1
            self._memory.submit(states, lambda: self._written.put(tickets))

    def _settle(self, tickets: list[Ticket]) -> None:
        self._under_way -= 1
        for ticket in tickets:
            self._ledger.done(ticket)
