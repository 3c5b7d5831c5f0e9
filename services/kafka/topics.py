"""Topics: what each is called, how it is made, and making what is missing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from services.errors import BrokerError, BrokerUnavailable
from services.kafka.clients import list_topics
from services.kafka.settings import RECORD_OVERHEAD_BYTES, KafkaSettings
from services.lifecycle.backoff import Backoff
from services.lifecycle.stopping import StopSignal

log = structlog.get_logger()

DLQ_SUFFIX = ".dlq"
_ADMIN_TIMEOUT_S = 15.0
_ASK_TIMEOUT_S = 5.0  # short enough to end in time when told to stop meanwhile
_SEEN_WITHIN_S = 5.0
_HOUR_MS = 3_600_000
_STATUS_KEPT_H = 1
_UNAVAILABLE = {
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._TRANSPORT,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NOT_CONTROLLER,
    KafkaError.THROTTLING_QUOTA_EXCEEDED,
}


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How one topic is made."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


def dlq_topic(topic: str) -> str:
    """The dead-letter twin of a topic."""
    return topic + DLQ_SUFFIX


def person_topic(settings: KafkaSettings, slug: str) -> str:
    """The topic of frames that show one enrolled person."""
    return settings.topic_person_prefix + slug


def standing_topics(settings: KafkaSettings) -> tuple[str, ...]:
    """Every topic that does not depend on who is enrolled, each of records with its dead letters.

    A status report that cannot be read is worth nothing to anyone: its topic has no twin.
    """
    names = (
        settings.topic_raw,
        settings.topic_processed,
        settings.topic_detected,
        settings.topic_identified,
        settings.topic_events,
    )
    twins = tuple(topic for name in names for topic in (name, dlq_topic(name)))
    return (*twins, settings.topic_status) if settings.status_every_s > 0 else twins


def topic_spec(settings: KafkaSettings, name: str) -> TopicSpec:
    """How a topic of that name is made: frames are kept for hours, faces and events for weeks.

    Reports of how services are doing are kept for one hour, in one partition.
    """
    for_weeks = (settings.topic_detected, settings.topic_events)
    faces = name.removesuffix(DLQ_SUFFIX) in for_weeks
    retention_h = settings.retention_faces_h if faces else settings.retention_frames_h
    status = name == settings.topic_status
    if status:
        retention_h = _STATUS_KEPT_H
    # A dead letter is the whole record plus headers that say why.
    overhead = RECORD_OVERHEAD_BYTES * (2 if name.endswith(DLQ_SUFFIX) else 1)
    config = {
        "retention.ms": str(int(retention_h * _HOUR_MS)),
        "max.message.bytes": str(settings.kafka_max_message_bytes + overhead),
    }
    if settings.topic_replication >= 3:
        config["min.insync.replicas"] = "2"
    if status:
        # A topic is kept by whole segments, and a week's would be read through to its end.
        config["segment.ms"] = str(_STATUS_KEPT_H * _HOUR_MS // 4)
    partitions = 1 if status or name.endswith(DLQ_SUFFIX) else settings.topic_partitions
    return TopicSpec(name, partitions, settings.topic_replication, config)


def ensure_topics(settings: KafkaSettings, names: Sequence[str]) -> list[str]:
    """Create what is missing; returns the names that were created.

    A broker that cannot create topics (the in-memory one) makes them when they are asked for.
    With `KAFKA_CREATE_TOPICS=false` nothing is created.

    Raises:
        BrokerUnavailable: no broker answered.
        BrokerError: the broker refused, the credentials perhaps.
    """
    if not settings.kafka_create_topics:
        return []
    try:
        return _create_missing(settings, dict.fromkeys(names))
    except KafkaException as error:
        raise BrokerUnavailable(
            f"topics at {settings.kafka_bootstrap_servers}: {error.args[0].str()}"
        ) from None


def ensure_topics_when_up(settings: KafkaSettings, names: Sequence[str], stop: StopSignal) -> None:
    """As `ensure_topics`, waiting for as long as no broker answers, or until `stop`."""
    backoff = Backoff(first_s=0.5, most_s=5.0)
    while not stop.stopped:
        try:
            ensure_topics(settings, names)
        except BrokerUnavailable as error:
            log.warning("waiting for Kafka", error=str(error))
            stop.wait(backoff.next_s())
        else:
            return


def _create_missing(settings: KafkaSettings, names: Iterable[str]) -> list[str]:
    admin, cluster = list_topics(settings, _ASK_TIMEOUT_S)
    missing = [name for name in names if name not in cluster.topics]
    if cluster.controller_id in cluster.brokers:
        created = _create(admin, [topic_spec(settings, name) for name in missing])
        _tell(settings, created)
        _wait_until_seen(admin, created)
        return created
    if cluster.controller_id < 0:
        raise BrokerUnavailable(f"{settings.kafka_bootstrap_servers} has no controller yet")
    # The in-memory broker has no controller: it makes a topic when asked about it.
    for name in missing:
        admin.list_topics(name, timeout=_ASK_TIMEOUT_S)
    return missing


def _wait_until_seen(admin: AdminClient, names: Iterable[str]) -> None:
    # A consumer that asks a moment too early asks again only seconds later.
    unseen = set(names)
    deadline_s = time.monotonic() + _SEEN_WITHIN_S
    while unseen and time.monotonic() < deadline_s:
        unseen -= set(admin.list_topics(timeout=_ASK_TIMEOUT_S).topics)
        if unseen:
            time.sleep(0.05)


def _tell(settings: KafkaSettings, created: Sequence[str]) -> None:
    """Names of people stay out of the log."""
    others = [name for name in created if not name.startswith(settings.topic_person_prefix)]
    if created:
        log.info("topics created", topics=others, of_people=len(created) - len(others))


def _create(admin: AdminClient, specs: Sequence[TopicSpec]) -> list[str]:
    if not specs:
        return []
    requests = [
        NewTopic(
            s.name, num_partitions=s.partitions, replication_factor=s.replication, config=s.config
        )
        for s in specs
    ]
    created = []
    for name, future in admin.create_topics(requests, request_timeout=_ADMIN_TIMEOUT_S).items():
        try:
            future.result()
        except KafkaException as error:
            cause: KafkaError = error.args[0]
            if cause.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            if cause.code() in _UNAVAILABLE:
                raise
            raise BrokerError(f"topic {name} cannot be created: {cause.str()}") from None
        else:
            created.append(name)
    return created
