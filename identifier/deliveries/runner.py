"""A thread per sink: take the lease, read, deliver in order, move the cursor.

At least once: the cursor moves when the receiver has an event, or its dead letter is kept. An event
that cannot be delivered holds up those behind it, for this sink alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from identifier.deliveries.dead_letters import DeadLetters
from identifier.deliveries.lease import Lease
from identifier.deliveries.values import (
    PAGE_EVENTS,
    Delivered,
    Event,
    EventLog,
    Outcome,
    Refused,
    Sink,
    TryAgain,
)
from identifier.deliveries.window import PATIENCE_S, Window
from services.errors import RecordError
from services.lifecycle import metrics
from services.lifecycle.backoff import Backoff
from services.lifecycle.stopping import StopSignal

log = structlog.get_logger()

_STOP_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a runner does what, seconds.

    Attributes:
        poll_s: between two looks at the log.
        first_retry_s: about the wait before the second attempt.
        most_retry_s: the longest wait between two attempts, the receiver's own wish apart.
        patience_s: how long a missing id is waited for, see `window`.
    """

    poll_s: float = 0.5
    first_retry_s: float = 1.0
    most_retry_s: float = 60.0
    patience_s: float = PATIENCE_S


class SinkRunner:
    """Serves one sink while it holds the lease, else waits for it.

    Args:
        sink: where to.
        lease: of the sink's cursor.
        events: what to deliver.
        dead_letters: where events go that the sink will not take.
        pace: how often.
    """

    def __init__(
        self,
        sink: Sink,
        lease: Lease,
        events: EventLog,
        dead_letters: DeadLetters,
        pace: Pace | None = None,
    ) -> None:
        self._sink = sink
        self._lease = lease
        self._events = events
        self._dead_letters = dead_letters
        self._pace = pace or Pace()
        self._stop = StopSignal()
        self._kept_s = self._tend_s = 0.0
        self._tending = Backoff(self._pace.first_retry_s, self._pace.most_retry_s)
        self._thread = threading.Thread(target=self.run, name=f"deliver-{sink.kind}", daemon=True)

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Begin no other attempt."""
        self._stop.stop()

    def join(self, timeout_s: float = _STOP_WITHIN_S) -> None:
        """Wait a little for the attempt that is under way."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def run(self) -> None:
        """Serve until asked to stop; while the database is away, try again and again."""
        away = Backoff(self._pace.first_retry_s, self._pace.most_retry_s)
        while not self._stop.stopped:
            try:
                cursor = self._lease.take(self._events)
                away.reset()
                if cursor is None:
                    self._stop.wait(self._lease.lease_s / 6)
                else:
                    self._serve(cursor)
            except SQLAlchemyError as error:
                cause = str(error.orig if isinstance(error, DBAPIError) else error).split("\n")[0]
                log.warning("database away, events wait", sink=self._sink.shown, error=cause)
                self._stop.wait(away.next_s())

    def _serve(self, cursor: int) -> None:
        log.info("events are delivered", kind=self._sink.kind, to=self._sink.shown, after=cursor)
        window = Window(cursor, self._pace.patience_s)
        self._kept_s, self._tend_s = time.monotonic(), 0.0
        try:
            while not self._stop.stopped:
                if events := self._unread(window):
                    if not self._deliver_all(events, window):
                        return
                elif self._keep(window):
                    self._tend()
                    self._stop.wait(self._pace.poll_s)
                else:
                    return
        finally:
            self._sink.close()
            self._lease.release()

    def _unread(self, window: Window) -> Sequence[Event]:
        window.expire()
        last = window.cursor
        while True:
            page = self._events.after(last, PAGE_EVENTS)
            unread = [Event(*found) for found in page if window.wants(found[0])]
            if unread or len(page) < PAGE_EVENTS:
                return unread
            last = page[-1][0]

    def _deliver_all(self, events: Sequence[Event], window: Window) -> bool:
        """False when the lease was lost, or it is time to stop."""
        since_s = time.monotonic()
        for event in events:
            if self._stop.stopped or not self._settle(event, since_s):
                return False
            window.passed(event.id)
            if not self._renew(window.cursor):
                return False
        return True

    def _settle(self, event: Event, since_s: float) -> bool:
        """Deliver, try again, or give up; False when the lease was lost, or it is time to stop."""
        backoff = Backoff(self._pace.first_retry_s, self._pace.most_retry_s)
        while (current := self._still_there(event)) is not None:
            outcome = self._attempt(current)
            if isinstance(outcome, Delivered):
                self._count("delivered")
                return True
            left_s = self._left_s(since_s)
            if isinstance(outcome, Refused) or left_s <= 0:
                return self._give_up(current, outcome.reason)
            self._count("retried")
            wait_s = min(left_s, max(backoff.next_s(), outcome.after_s or 0.0))
            log.info(
                "event not delivered yet",
                to=self._sink.shown,
                event_id=event.id,
                reason=outcome.reason,
                again_in_s=round(wait_s, 1),
            )
            if not self._pause(wait_s):
                return False
        return True

    def _still_there(self, event: Event) -> Event | None:
        """The event as it is now; None when it was erased since it was read."""
        found = self._events.after(event.id - 1, 1)
        return Event(*found[0]) if found and found[0][0] == event.id else None

    def _attempt(self, event: Event) -> Outcome:
        try:
            return self._sink.deliver(event)
        except RecordError as error:
            return Refused(error.reason)

    def _give_up(self, event: Event, reason: str) -> bool:
        backoff = Backoff(self._pace.first_retry_s, self._pace.most_retry_s)
        while not self._dead_letters.put(event, reason, self._sink.shown):
            log.warning("dead letter not kept yet", to=self._sink.shown, event_id=event.id)
            if not self._pause(backoff.next_s()):
                return False
        self._count("dead-lettered")
        log.warning("event given up", to=self._sink.shown, event_id=event.id, reason=reason)
        return True

    def _left_s(self, since_s: float) -> float:
        if self._sink.retry_s is None:
            return float("inf")
        return since_s + self._sink.retry_s - time.monotonic()

    def _tend(self) -> None:
        if time.monotonic() < self._tend_s:
            return
        outcome = self._sink.tend()
        if isinstance(outcome, TryAgain):
            wait_s = self._tending.next_s()
            log.info("sink out of reach", to=self._sink.shown, reason=outcome.reason)
            self._tend_s = time.monotonic() + wait_s
        else:
            self._tending.reset()

    def _keep(self, window: Window) -> bool:
        """Stay the owner, now and then; False when another one has taken over."""
        if time.monotonic() - self._kept_s < self._lease.lease_s / 6:
            return True
        return self._renew(window.cursor)

    def _renew(self, cursor: int | None = None) -> bool:
        if not self._lease.move(cursor):
            log.info("another identifier delivers", to=self._sink.shown)
            return False
        self._kept_s = time.monotonic()
        return True

    def _pause(self, seconds: float) -> bool:
        """Wait and stay the owner; False when the lease was lost, or it is time to stop."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            if self._stop.wait(min(left_s, self._lease.lease_s / 6)) or not self._renew():
                return False
        return not self._stop.stopped

    def _count(self, outcome: str) -> None:
        metrics.DELIVERIES.labels(kind=self._sink.kind, outcome=outcome).inc()


class Deliveries:
    """Every sink's runner; none is fine too."""

    def __init__(self, runners: Sequence[SinkRunner]) -> None:
        self._runners = tuple(runners)

    def start(self) -> None:
        """Begin to deliver."""
        for runner in self._runners:
            runner.start()

    def stop(self) -> None:
        """Deliver no more; what was under way may be delivered again by the next owner."""
        for runner in self._runners:
            runner.ask_to_stop()
        deadline_s = time.monotonic() + _STOP_WITHIN_S
        for runner in self._runners:
            runner.join(max(0.0, deadline_s - time.monotonic()))
