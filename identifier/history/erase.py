"""Erasing a person: everything that can be removed is, the rest is named, and then one looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from sqlalchemy.exc import DBAPIError

from identifier.gallery.database import Database, retried
from identifier.history.crops import Crops
from identifier.history.erase_rows import (
    Traces,
    count,
    find_traces,
    overwrite_what_is_deleted,
    remove_everything,
    remove_references,
)
from identifier.history.erase_topics import KeptIn, Topics
from services.errors import BrokerUnavailable
from services.kafka.settings import KafkaSettings
from services.kafka.topics import dlq_topic, person_topic

log = structlog.get_logger()

_FRAMES = "frames that show the person, as everybody in them"
_FACES = "faces and embeddings, without names"
_NAMED = "frames with names"
_EVENTS = "events with names"


@dataclass(frozen=True, slots=True)
class Proof:
    """What an erasure did.

    Attributes:
        at: when it was done, UTC.
        removed: how many there were, by kind; `crops` are files, `topics` are Kafka's.
        kept: topics that forget by themselves, and when.
        not_removed: what else may be left and is not ours to remove; one sentence each.
        remaining: what was looked for afterwards and is still there; empty when all is well.
    """

    at: datetime
    removed: Mapping[str, int]
    kept: tuple[KeptIn, ...]
    not_removed: tuple[str, ...] = field(repr=False)
    remaining: tuple[str, ...] = field(repr=False)

    @property
    def verified(self) -> bool:
        """Whether nothing was found when everything was looked for again."""
        return not self.remaining


class Erasure:
    """Removes a person from the database, the crops and Kafka, and looks whether they are gone.

    The order makes it safe to be interrupted: the photos go first, so that nobody is recognised
    any more, the person's own row goes last, together with every other row. Until then erasing
    again does the whole of it. No name, no slug and no topic of theirs is logged.

    Args:
        database: the gallery's.
        crops: where face crops lie.
        kafka: how Kafka is reached, and what the topics are called.
        topic_events: topic of events.
        sinks: where events have gone and cannot be called back from, one phrase each.
        refresh: makes this process match by the gallery as it is now.
        forget: told the slug, so that nobody makes the person's topic again.
        settle_s: how long other identifiers may still match by the gallery as it was, seconds.
    """

    def __init__(
        self,
        database: Database,
        crops: Crops,
        kafka: KafkaSettings,
        *,
        topic_events: str,
        sinks: Sequence[str] = (),
        refresh: Callable[[], object] = lambda: None,
        forget: Callable[[str], object] = lambda _slug: None,
        settle_s: float = 1.0,
    ) -> None:
        self._database = database
        self._crops = crops
        self._kafka = kafka
        self._topics = Topics(kafka)
        self._topic_events = topic_events
        self._sinks = tuple(sinks)
        self._refresh = refresh
        self._forget = forget
        self._settle_s = settle_s

    def erase(self, slug: str) -> Proof | None:
        """Erase a person; None when there is none.

        Raises:
            BrokerUnavailable: Kafka does not answer; erase again when it does.
            OSError: crops cannot be removed; erase again when they can.
            DBAPIError: the database is away; erase again when it is back.
        """
        found = retried(lambda: self._remove_photos(slug))
        if found is None:
            return None
        first, counted = found
        self._refresh()
        self._settle()
        self._crops.delete_many(first.crops)
        own_topics = self._own_topics(slug)
        had_topics = self._topics.left(own_topics)
        refused = self._topics.delete(own_topics)
        undeletable = self._topics.undeletable(own_topics)
        kept = self._topics.kept(self._keepers())
        # Whatever fails from here on can be seen in the proof, and is not to be done again.
        last = retried(lambda: self._remove_rows(slug, first))
        self._refresh()
        self._forget(slug)
        wal_left = self._empty_wal()
        crops = set(first.crops) | set(last.crops)
        counted["sightings"] = max(counted["sightings"], len(last.sightings))
        counted["events"] = max(counted["events"], len(last.events))
        counted |= {
            "crops": len(crops),
            "topics": len(had_topics) - len(refused) - len(undeletable),
        }
        proof = Proof(
            at=datetime.now(UTC),
            removed=counted,
            kept=(*undeletable, *kept),
            not_removed=self._not_removed(first),
            remaining=(
                *self._rows_left(first, last),
                *self._crops_left(crops),
                *wal_left,
                *self._topics_left(own_topics, refused, undeletable),
            ),
        )
        log.info("person erased", removed=dict(proof.removed), verified=proof.verified)
        return proof

    def _settle(self) -> None:
        time.sleep(self._settle_s)

    def _own_topics(self, slug: str) -> list[str]:
        topic = person_topic(self._kafka, slug)
        return [topic, dlq_topic(topic)]

    def _remove_photos(self, slug: str) -> tuple[Traces, dict[str, int]] | None:
        """Remove what they are recognised by; what there was of them, None where nobody was."""
        with self._database.writing() as session:
            overwrite_what_is_deleted(session)
            traces = find_traces(session, slug)
            if traces is None:
                return None
            counted = count(session, traces)
            remove_references(session, traces)
            return traces, counted

    def _remove_rows(self, slug: str, first: Traces) -> Traces:
        """Remove every row, with crops that have come since; the person is gone afterwards."""
        with self._database.writing() as session:
            overwrite_what_is_deleted(session)
            last = find_traces(session, slug, before=first, lock=True)
            if last is None:
                return first  # somebody else erased them at the same time
            self._crops.delete_many(last.crops)
            remove_everything(session, last)
        # A better face may have been put in the place of one meanwhile.
        self._crops.delete_many(sorted({*first.crops, *last.crops}))
        return last

    def _empty_wal(self) -> list[str]:
        """SQLite: what was deleted is still in the log beside the file until it is emptied."""
        if self._database.engine.dialect.name != "sqlite":
            return []
        try:
            with self._database.engine.connect() as connection:
                raw = connection.connection.driver_connection
                assert raw is not None  # noqa: S101 - a connection that was just opened
                cursor = raw.cursor()
                busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                cursor.close()
        except DBAPIError:
            busy = 1
        return ["deleted rows in the database's write-ahead log, until it is next emptied"] * busy

    def _rows_left(self, first: Traces, last: Traces) -> list[str]:
        with self._database.reading() as session:
            left = {
                kind: max(found, count(session, last)[kind])
                for kind, found in count(session, first).items()
            }
            again = find_traces(session, first.slug)
            if again is not None:
                left["people"] = 1
        return [f"{found} {kind}" for kind, found in left.items() if found]

    def _crops_left(self, keys: set[str]) -> list[str]:
        left = sum(self._crops.get(key) is not None for key in keys)
        return [f"{left} crops"] if left else []

    def _topics_left(
        self, names: Sequence[str], refused: Mapping[str, str], undeletable: Sequence[KeptIn]
    ) -> list[str]:
        """Look again, and delete again what a frame that was under way has brought back."""
        ours = [name for name in names if name not in {kept.topic for kept in undeletable}]
        try:
            refused = {**refused, **self._topics.delete([n for n in ours if n not in refused])}
            left = self._topics.left(ours)
        except BrokerUnavailable as error:
            return [f"perhaps the topic {names[0]}: {error}"]
        return [f"topic {name}: {refused.get(name, 'somebody makes it again')}" for name in left]

    def _keepers(self) -> dict[str, str]:
        kafka = self._kafka
        holds = {
            kafka.topic_raw: _FRAMES,
            kafka.topic_processed: _FRAMES,
            kafka.topic_detected: _FACES,
            kafka.topic_identified: _NAMED,
            self._topic_events: _EVENTS,
        }
        return {
            topic: what
            for name, what in holds.items()
            for topic, what in (
                (name, what),
                (dlq_topic(name), f"records that could not be read: {what}"),
            )
        }

    def _not_removed(self, traces: Traces) -> tuple[str, ...]:
        found = [f"events already delivered to {sink}" for sink in self._sinks]
        found += [
            f"the file {path}: remove it, or the person is enrolled again"
            for path in traces.photo_files
        ]
        if self._database.engine.dialect.name == "postgresql":
            found.append("deleted rows on the disk of PostgreSQL until its next vacuum")
        found.append("backups of the database, of the crops and of Kafka")
        return tuple(found)
