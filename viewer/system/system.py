"""Everything behind the System page: opened with the viewer, closed with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Protocol

from services.doctor.check import Check
from services.doctor.cluster import cluster_checks
from services.doctor.machine import disk
from services.kafka.settings import KafkaSettings
from viewer.identifier import Identifier, IdentifierAway, IdentifierProblem
from viewer.state import StateReader
from viewer.system.board import StatusBoard
from viewer.system.doctor import Doctor
from viewer.system.document import DoctorJson, SystemJson, doctor_document, make_document
from viewer.system.findings import PageFacts, fleet_checks, page_check
from viewer.system.lag import LagMonitor, WatchedGroup
from viewer.system.reader import StatusReader
from viewer.texts import Texts

_BROKER_TIMEOUT_S = 5.0
_FRESH_S = 1.0
_MOST_STALE_S = 10.0


class SystemView(Protocol):
    """What the page needs."""

    def document(self) -> SystemJson:
        """All that is known now."""

    def findings(self, wait_s: float = 0.0) -> DoctorJson:
        """What the doctor says."""


@dataclass(frozen=True, slots=True)
class WatchedGroups:
    """Names of the consumer groups whose lag is shown."""

    worker: str = "facestream-worker"
    identifier: str = "facestream-identifier"


class System:
    """Reads reports and lag in threads of its own between `start` and `stop`.

    Args:
        settings: brokers and topics.
        groups: what to watch.
        facts: how the page is reached.
        state: cameras as they are.
        identifier: asked whether it answers.
        texts: what the doctor says.
        now: the time, with a zone.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        groups: WatchedGroups,
        facts: PageFacts,
        state: StateReader,
        identifier: Identifier,
        texts: Texts,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._facts = facts
        self._state = state
        self._identifier = identifier
        self._texts = texts
        self._now = now
        self._board = StatusBoard(now)
        self._reader = StatusReader(settings, self._board)
        self._lag = LagMonitor(settings, watched(settings, groups), texts, now)
        self._doctor = Doctor(self._look)
        self._lock = Lock()
        self._stale_at_s = 0.0
        self._made: SystemJson | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._reader.start()
        self._lag.start()

    def stop(self) -> None:
        """Listen no more."""
        self._reader.stop()
        self._lag.stop()
        self._reader.join()
        self._lag.join()

    def document(self) -> SystemJson:
        """All that is known now; made once a second at most, however many ask.

        With hundreds of instances it is made less often, to take a tenth of a core at most.
        """
        with self._lock:
            began_s = time.monotonic()
            if self._made is None or began_s >= self._stale_at_s:
                lag = self._lag.state
                heard_until = lag.heard_at if lag.answering is False else None
                self._made = make_document(
                    self._now(),
                    self._board.instances(heard_until),
                    self._board.unreadable_records,
                    lag,
                    self._lag.series(),
                )
                took_s = time.monotonic() - began_s
                self._stale_at_s = began_s + max(_FRESH_S, min(_MOST_STALE_S, 10 * took_s))
            return self._made

    def findings(self, wait_s: float = 0.0) -> DoctorJson:
        """What the doctor says; it looks when somebody asks, every ten seconds at most.

        Args:
            wait_s: how long to wait where it is looking.
        """
        return doctor_document(self._doctor.findings(wait_s))

    def _look(self) -> Iterator[Check]:
        say = self._texts.of("doctor")
        yield from cluster_checks(self._settings, _BROKER_TIMEOUT_S, say)
        delays = [(c.name, c.delay_ms) for c in self._state.board.cameras() if not c.stale]
        lag = self._lag.state
        heard_until = lag.heard_at if lag.answering is False else None
        yield from fleet_checks(self._board.instances(heard_until), lag, delays, self._texts)
        yield identifier_check(self._identifier, self._texts)
        if self._facts.data_dir is not None:
            yield disk(self._facts.data_dir, say)
        yield page_check(self._facts, self._texts)


def watched(settings: KafkaSettings, groups: WatchedGroups) -> list[WatchedGroup]:
    """The groups with what they read."""
    return [
        WatchedGroup("worker", groups.worker, settings.topic_raw),
        WatchedGroup("identifier", groups.identifier, settings.topic_processed, transactional=True),
    ]


def identifier_check(identifier: Identifier, t: Texts) -> Check:
    """Its API answers and lets the viewer in."""
    name = t("doctor.api")
    if identifier.url is None:
        return Check(name, "warn", t("doctor.api_unset"), t("doctor.api_unset_fix"))
    try:
        identifier.get("/gallery")
    except IdentifierAway as error:
        return Check(name, "fail", str(error), t("doctor.api_away_fix"))
    except IdentifierProblem as error:
        said = t("doctor.api_refuses", detail=error.detail)
        return Check(name, "fail", said, t("doctor.api_refuses_fix"))
    return Check(name, "ok", t("doctor.api_answers", url=identifier.url))
