"""Puts the identifier together from its settings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from confluent_kafka import Consumer

from identifier.api.app import make_app
from identifier.api.guard import Access
from identifier.api.server import ApiServer
from identifier.enrolment import Enroller
from identifier.gallery.database import Database
from identifier.gallery.store import GalleryStore
from identifier.gallery.watcher import GalleryWatcher
from identifier.models import analyser_loader, enrolment_limits, thresholds
from identifier.offsets import OffsetLedger
from identifier.one_person import gallery_of_one
from identifier.people import People
from identifier.people_dir import PeopleDir
from identifier.person_topics import PersonTopics
from identifier.publisher import Publisher
from identifier.raw_topics import RawTopics
from identifier.reorder import Limits, Reorderer
from identifier.service import IdentifierService, Outputs, Waiting
from identifier.settings import IdentifierSettings
from identifier.snapshot import SnapshotSource
from services.kafka.clients import make_consumer, make_producer
from services.kafka.settings import RECORD_OVERHEAD_BYTES
from services.lifecycle.health import Health

_MULTIPART_BYTES = 65_536


def build_service(
    settings: IdentifierSettings, gallery: SnapshotSource, topics: PersonTopics, health: Health
) -> IdentifierService:
    """The service with its Kafka clients."""
    consumer = make_consumer(settings, settings.group)
    ledger = OffsetLedger()
    for_one = settings.person is not None
    return IdentifierService(
        consumer,
        Publisher(make_producer(settings), ledger, optional=topics.owns),
        ledger,
        _reorderer(settings, consumer),
        gallery,
        thresholds(settings),
        Outputs(
            processed_topic=settings.topic_processed,
            identified_topic=None if for_one else settings.topic_identified,
            person_topics=topics if for_one or settings.publish_person_topics else None,
            max_record_bytes=settings.kafka_max_message_bytes + RECORD_OVERHEAD_BYTES,
        ),
        health,
    )


@contextmanager
def open_gallery(
    settings: IdentifierSettings, topics: PersonTopics, health: Health
) -> Iterator[SnapshotSource]:
    """The gallery, and whatever may change it: the database, PEOPLE_DIR, the REST API.

    Raises:
        SettingsError: REFERENCE cannot be used, or the API's address cannot be bound.
        GalleryError: the database cannot be used.
    """
    if settings.person is not None:
        fixed = gallery_of_one(settings, analyser_loader(settings))
        topics.make_ahead(fixed.snapshot)
        yield fixed
        return
    with ExitStack() as at_exit:
        database = Database(settings.database_address)
        at_exit.callback(database.close)
        store = GalleryStore(database)
        on_change = topics.make_ahead if settings.publish_person_topics else None
        watcher = GalleryWatcher(store, health, on_change)
        at_exit.callback(watcher.stop)
        watcher.start()
        enroller = Enroller(analyser_loader(settings), enrolment_limits(settings))
        people = People(store, watcher, enroller)
        api = ApiServer(
            make_app(people, health, _access(settings)), settings.api_host, settings.api_port
        )
        at_exit.callback(api.stop)
        api.start()
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
        yield watcher


def _reorderer(settings: IdentifierSettings, consumer: Consumer) -> Reorderer[Waiting]:
    limits = Limits(
        live_s=settings.reorder_window_ms / 1000,
        stored_s=settings.reorder_window_stored_ms / 1000,
        max_bytes=settings.reorder_max_bytes,
    )
    return Reorderer(limits, RawTopics(consumer).partitions, time.monotonic)


def _access(settings: IdentifierSettings) -> Access:
    token = None if settings.api_token is None else settings.api_token.get_secret_value()
    max_body_bytes = settings.upload_max_bytes + _MULTIPART_BYTES
    if settings.api_on_loopback:
        return Access.on_loopback(settings.api_host, token, max_body_bytes)
    return Access(token, (), max_body_bytes)
