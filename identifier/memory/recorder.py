"""The thread that writes tracks down, tells the world, and says when both are done."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from identifier.gallery.database import Database
from identifier.memory.abandoned import end_abandoned
from identifier.memory.events import EventLog
from identifier.memory.followed import followed_tracks
from identifier.memory.tables import EventRow
from identifier.memory.writing import SightingWriter
from identifier.tracks.values import TrackState
from services.errors import RetriableError
from services.lifecycle.backoff import Backoff
from services.lifecycle.health import Health

log = structlog.get_logger()

_BATCH = 500
_PICTURES_KEPT = 2_000  # states that wait with their frame, while the database is away
_NUMBERS_KEPT = 20_000
_TIDY_EVERY_S = 20.0
_ORPHANED_AFTER = timedelta(seconds=30)
_OUTBOX = 500


class EventsOut(Protocol):
    """Where events are published."""

    def publish(self, events: Sequence[EventRow]) -> None:
        """Publish, and wait until all of it is taken.

        Raises:
            RetriableError: some of it was not.
        """


class Recorder:
    """Writes what it is given in a thread of its own, in batches, until that succeeds.

    Of a track only the newest state counts. While the database, the media or Kafka is away
    everything waits here, an embedding and some hundred bytes a track (of the first 2,000 also a
    frame each); who gives states knows by `done` what is safe, and may begin again from there
    after a crash.

    Args:
        database: of the memory.
        writer: makes rows of states.
        events: the log of events.
        out: publishes them.
        health: its part `memory` says whether the memory keeps up.
        abandoned_s: a sighting that nobody wrote for so long has ended, whoever followed it.
    """

    def __init__(
        self,
        database: Database,
        writer: SightingWriter,
        events: EventLog,
        out: EventsOut,
        health: Health,
        abandoned_s: float = 60.0,
    ) -> None:
        self._database = database
        self._writer = writer
        self._events = events
        self._out = out
        self._health = health
        self._abandoned_s = abandoned_s
        self._changed = threading.Condition()
        self._states: dict[str, TrackState] = {}
        self._writing: dict[str, TrackState] = {}
        self._done: list[Callable[[], None]] = []
        self._outbox: list[EventRow] = []
        self._numbers: OrderedDict[str, int | None] = OrderedDict()
        self._closing = False
        self._tidied_s = 0.0
        self._backoff = Backoff(first_s=0.2, most_s=5.0)
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._health.ready("memory", ok=True)
        self._thread.start()

    def submit(self, changes: Sequence[TrackState], done: Callable[[], None]) -> None:
        """Write these states soon; `done` is called, on the memory's thread, once that is so.

        By then everything submitted before is written, too, and its events are on Kafka.
        """
        with self._changed:
            for state in changes:
                self._keep(state)
            self._done.append(done)
            self._changed.notify()

    def unknown_of(self, track: str) -> int | None:
        """The number that a track was given; None when it has none, or none yet."""
        return self._numbers.get(track)

    def remembered(self, camera: str) -> list[TrackState]:
        """A camera's open tracks and those that ended in its last minute, as they stand now."""
        try:
            found = {state.id: state for state in followed_tracks(self._database, camera)}
        except SQLAlchemyError as error:
            log.warning("open tracks not read", camera=camera, error=_first_line(error))
            found = {}
        with self._changed:
            waiting = [*self._writing.values(), *self._states.values()]
        found |= {state.id: state for state in waiting if state.camera == camera}
        for state in found.values():
            if state.unknown is not None:
                self._note(state.id, state.unknown)
        return list(found.values())

    def close(self, timeout_s: float) -> None:
        """Write what is there, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _keep(self, state: TrackState) -> None:
        before = self._states.get(state.id)
        if before is not None:
            if (state.last_seq, state.ended) < (before.last_seq, before.ended):
                return  # frames are read again
            if before.best.jpeg and not state.best.jpeg:
                state = replace(state, best=before.best)
            del self._states[state.id]
        if len(self._states) >= _PICTURES_KEPT:
            state = replace(state, best=replace(state.best, jpeg=b""))
        self._states[state.id] = state

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except BaseException as error:
            self._health.ready("memory", ok=False, detail=f"ended by {type(error).__name__}")
            raise

    def _turn(self) -> bool:
        """Do what there is to do; whether to go on."""
        with self._changed:
            if not (self._states or self._done or self._writing or self._closing):
                self._changed.wait(1.0)
            if not self._writing:
                for track in list(self._states)[:_BATCH]:
                    self._writing[track] = self._states.pop(track)
            done = [] if self._states else list(self._done)
            closing = self._closing
        try:
            self._write()
            self._publish()
            self._tidy()
        except (SQLAlchemyError, OSError, RetriableError) as error:
            self._failed(error)
            return not closing
        self._backoff.reset()
        self._health.ready("memory", ok=True)
        with self._changed:
            self._done = self._done[len(done) :]
        for tell in done:
            tell()
        with self._changed:
            return not (self._closing and not self._states and not self._done)

    def _write(self) -> None:
        if self._writing:
            written = self._writer.write(list(self._writing.values()))
            for track, number in written.unknowns.items():
                self._note(track, number)
            self._outbox += written.events
            with self._changed:
                self._writing = {}

    def _publish(self) -> None:
        while self._outbox:
            part = self._outbox[:_OUTBOX]
            self._out.publish(part)
            self._events.published([event.id for event in part])
            del self._outbox[: len(part)]

    def _tidy(self) -> None:
        """Now and then: what others left behind when they ended too early."""
        now_s = time.monotonic()
        if now_s - self._tidied_s >= _TIDY_EVERY_S:
            self._tidied_s = now_s
            self._outbox += end_abandoned(self._database, self._abandoned_s, self._writer.lock)
            orphaned = self._events.unpublished(datetime.now(UTC) - _ORPHANED_AFTER, _OUTBOX)
            mine = {event.id for event in self._outbox}
            self._outbox += [event for event in orphaned if event.id not in mine]
            self._publish()

    def _failed(self, error: Exception) -> None:
        what = _first_line(error)
        log.warning("the memory waits", error=what, tracks=len(self._states) + len(self._writing))
        self._health.ready("memory", ok=False, detail=what)
        with self._changed:
            if not self._closing:
                self._changed.wait(self._backoff.next_s())

    def _note(self, track: str, number: int | None) -> None:
        self._numbers[track] = number
        self._numbers.move_to_end(track)
        while len(self._numbers) > _NUMBERS_KEPT:
            self._numbers.popitem(last=False)


def _first_line(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(cause).strip().split("\n")[0]
