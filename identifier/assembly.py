"""Puts the identifier together from its settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from confluent_kafka import Consumer
from pydantic import SecretStr

from identifier.api.guard import Access
from identifier.checkpoints import Checkpoints
from identifier.deliveries.assembly import make_deliveries
from identifier.enrolment import Enroller
from identifier.gallery.database import Database
from identifier.gallery.reembedding import Reembedding
from identifier.gallery.store import GalleryStore
from identifier.gallery.watcher import GalleryWatcher
from identifier.history.backfill import Backfills
from identifier.history.erase import Erasure
from identifier.history.scanner import BackfillConfig
from identifier.load import Load
from identifier.memory.events import EventLog
from identifier.memory.media import Media
from identifier.memory.publishing import KafkaEvents
from identifier.memory.recorder import Recorder
from identifier.memory.retention import Retention
from identifier.memory.writing import SightingWriter
from identifier.models import analyser_loader, enrolment_limits, thresholds
from identifier.offsets import OffsetLedger, Ticket
from identifier.one_person import gallery_of_one
from identifier.people import People
from identifier.people_dir import PeopleDir
from identifier.person_topics import PersonTopics
from identifier.publisher import Publisher
from identifier.raw_topics import RawTopics
from identifier.reorder import Limits, Reorderer
from identifier.rest import Rooms, start_api
from identifier.service import IdentifierService, Outputs, Waiting
from identifier.settings import IdentifierSettings
from identifier.snapshot import SnapshotSource
from identifier.tracks.identity import TrackIdentities
from identifier.unknowns.clusters import unknown_rules
from identifier.unknowns.store import Unknowns
from services.kafka.clients import make_consumer, make_producer
from services.kafka.settings import RECORD_OVERHEAD_BYTES
from services.kafka.topics import dlq_topic
from services.lifecycle.health import Health

_MULTIPART_BYTES = 65_536
_MEMORY_CLOSES_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the service asks and tells.

    Attributes:
        gallery: who can be recognised.
        memory: what was seen; None remembers nothing.
        load: told how far behind the service is.
    """

    gallery: SnapshotSource
    memory: Recorder | None
    load: Load


def build_service(
    settings: IdentifierSettings, knowledge: Knowledge, topics: PersonTopics, health: Health
) -> IdentifierService:
    """The service with its Kafka clients."""
    consumer = make_consumer(settings, settings.group)
    ledger = OffsetLedger()
    for_one = settings.person is not None
    tracks = _tracks(settings, knowledge.memory)
    return IdentifierService(
        consumer,
        Publisher(make_producer(settings), ledger, optional=topics.owns),
        ledger,
        _reorderer(settings, consumer),
        tracks,
        Checkpoints(tracks, ledger, knowledge.memory),
        knowledge.gallery,
        thresholds(settings),
        Outputs(
            processed_topic=settings.topic_processed,
            identified_topic=None if for_one else settings.topic_identified,
            person_topics=topics if for_one or settings.publish_person_topics else None,
            max_record_bytes=settings.kafka_max_message_bytes + RECORD_OVERHEAD_BYTES,
        ),
        health,
        knowledge.load,
    )


@contextmanager
def open_knowledge(
    settings: IdentifierSettings, topics: PersonTopics, health: Health
) -> Iterator[Knowledge]:
    """The gallery and the memory, with everything that changes them or tells of them.

    Raises:
        SettingsError: REFERENCE cannot be used, or an address makes no sense or cannot be bound.
        GalleryError: the database cannot be used.
    """
    load = Load()
    if settings.person is not None:
        fixed = gallery_of_one(settings, analyser_loader(settings))
        topics.make_ahead(fixed.snapshot)
        yield Knowledge(fixed, None, load)
        return
    with ExitStack() as at_exit:
        database = Database(settings.database_address)
        at_exit.callback(database.close)
        media = Media(settings.media_address)
        threshold = thresholds(settings)
        watcher, people, reembedding = _gallery(
            settings, database, topics, health, threshold, at_exit
        )
        unknowns = Unknowns(
            database,
            unknown_rules(threshold, settings.unknown_threshold),
            media,
            people,
            watcher.refresh,
        )
        events = EventLog(database)
        memory = Recorder(
            database,
            SightingWriter(database, media, unknowns.assign, unknowns.lock),
            events,
            KafkaEvents(make_producer(settings), settings.topic_events),
            health,
        )
        at_exit.callback(memory.close, _MEMORY_CLOSES_WITHIN_S)
        memory.start()
        backfills = Backfills(
            database,
            settings,
            BackfillConfig(
                topic=settings.topic_detected,
                confirm_frames=settings.confirm_frames,
                gap_s=settings.track_lost_ms / 1000,
            ),
            watcher,
            media,
            threshold,
            lambda: load.is_busy,
        )
        at_exit.callback(backfills.close)
        backfills.begin()
        retention = Retention(database, media, settings.keep, unknowns.forget_unseen)
        at_exit.callback(retention.stop)
        retention.start()
        delivering = make_deliveries(
            settings.delivery_options(dlq_topic(settings.topic_events)),
            database,
            events,
            lambda: make_producer(settings),
        )
        at_exit.callback(delivering.deliveries.stop)
        delivering.deliveries.start()

        def forget(slug: str) -> None:
            topics.forget(slug)
            delivering.forget(slug)

        erasure = Erasure(
            database,
            media,
            settings,
            topic_events=settings.topic_events,
            sinks=delivering.sinks,
            refresh=watcher.refresh,
            forget=forget,
        )
        rooms = Rooms(
            database, media, watcher, people, reembedding, unknowns, events, backfills, erasure
        )
        at_exit.callback(start_api(settings, rooms, threshold, health, _access(settings)).stop)
        if settings.people_dir is not None:
            folder = PeopleDir(
                settings.people_dir,
                people,
                health,
                max_bytes=settings.upload_max_bytes,
                poll_s=settings.people_dir_poll_s,
            )
            at_exit.callback(folder.stop)
            folder.start()
        yield Knowledge(watcher, memory, load)


def _gallery(
    settings: IdentifierSettings,
    database: Database,
    topics: PersonTopics,
    health: Health,
    threshold: Callable[[str], float],
    at_exit: ExitStack,
) -> tuple[GalleryWatcher, People, Reembedding]:
    store = GalleryStore(database)
    on_change = topics.make_ahead if settings.publish_person_topics else None
    watcher = GalleryWatcher(store, health, on_change)
    at_exit.callback(watcher.stop)
    watcher.start()
    enroller = Enroller(analyser_loader(settings), enrolment_limits(settings))
    reembedding = Reembedding(store.recognisers, enroller, settings.model_pack, health)
    at_exit.callback(reembedding.stop)
    reembedding.start()
    return watcher, People(store, watcher, enroller, threshold), reembedding


def _tracks(settings: IdentifierSettings, memory: Recorder | None) -> TrackIdentities[Ticket]:
    rules, limits = settings.track_rules, settings.wait_limits
    if memory is None:
        return TrackIdentities(rules, limits)
    return TrackIdentities(rules, limits, memory.unknown_of, memory.remembered)


def _reorderer(settings: IdentifierSettings, consumer: Consumer) -> Reorderer[Waiting]:
    limits = Limits(
        live_s=settings.reorder_window_ms / 1000,
        stored_s=settings.reorder_window_stored_ms / 1000,
        max_bytes=settings.reorder_max_bytes,
    )
    return Reorderer(limits, RawTopics(consumer).partitions, time.monotonic)


def _access(settings: IdentifierSettings) -> Access:
    token, producers = _text(settings.api_token), _text(settings.producer_token)
    max_body_bytes = settings.upload_max_bytes + _MULTIPART_BYTES
    if settings.api_on_loopback:
        return Access.on_loopback(
            settings.api_host, token, max_body_bytes, producer_token=producers
        )
    return Access(token, (), max_body_bytes, producer_token=producers)


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
