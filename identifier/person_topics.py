"""One topic per enrolled person: made when they are enrolled, at the latest when they are seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

import structlog

from identifier.snapshot import Snapshot
from services.errors import BrokerError, RetriableError
from services.kafka.settings import KafkaSettings
from services.kafka.topics import ensure_topics, person_topic

log = structlog.get_logger()

_MADE_AHEAD = 1_000
_RETRY_AFTER_S = 30.0


class PersonTopics:
    """Names and makes `faces.person.<slug>`; safe from any thread.

    Args:
        settings: names, partitions and retention of topics.
        create: makes those of the given topics that are missing.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        create: Callable[[KafkaSettings, list[str]], object] = ensure_topics,
    ) -> None:
        self._settings = settings
        self._create = create
        self._lock = threading.Lock()
        self._made: set[str] = set()
        self._not_before_s = 0.0

    def owns(self, topic: str) -> bool:
        """Whether a topic is a person's."""
        return topic.startswith(self._settings.topic_person_prefix)

    def of(self, slug: str) -> str:
        """The topic of a person, made if need be."""
        self._make([slug])
        return person_topic(self._settings, slug)

    def make_ahead(self, snapshot: Snapshot) -> None:
        """Make the topics of everyone enrolled, so that one can subscribe before they are seen.

        In a gallery of more than a thousand people only who is seen gets one: every topic costs
        the cluster memory.
        """
        if len(snapshot.slugs) <= _MADE_AHEAD:
            self._make(snapshot.slugs)

    def forget(self, slug: str) -> None:
        """A person's topic was deleted: it is made again if somebody of that slug comes."""
        with self._lock:
            self._made.discard(slug)

    def _make(self, slugs: Iterable[str]) -> None:
        if not (missing := set(slugs) - self._made) or time.monotonic() < self._not_before_s:
            return
        with self._lock:
            missing -= self._made
            try:
                self._create(self._settings, [person_topic(self._settings, s) for s in missing])
            except (RetriableError, BrokerError) as error:
                # Nobody waits for a person's topic; the broker may still make it when written to.
                log.warning("person topics not made", people=len(missing), why=type(error).__name__)
                self._not_before_s = time.monotonic() + _RETRY_AFTER_S
            else:
                self._made |= missing
