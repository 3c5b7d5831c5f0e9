"""`facestream producer`: settings, sources, Kafka, and the cameras running between them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import structlog

from producer.backlog import BacklogGate, GroupLag
from producer.camera import Camera, CameraPlan
from producer.companions import make_companions
from producer.fleet import Fleet, Publishers
from producer.progress import Progress
from producer.publisher import LivePublisher, StoredPublisher
from producer.settings import ProducerSettings
from services.kafka.topics import ensure_topics_when_up
from services.lifecycle.health import Health
from services.lifecycle.service import running
from services.lifecycle.stopping import StopSignal
from services.status.reporter import reporting

log = structlog.get_logger()


def main(argv: Sequence[str]) -> int:
    """Publish until every source has ended, or until SIGTERM."""
    settings = ProducerSettings.load(argv)
    health = Health("sources")
    with running(settings, health) as stop, reporting(settings, health):
        session = str(uuid.uuid4())
        plans = [CameraPlan.of(spec, settings) for spec in settings.specs()]
        cameras = [Camera(plan, session, stop) for plan in plans]
        for camera in cameras:
            camera.check()
        log.info("producer starts", session=session, cameras=[plan.name for plan in plans])
        ensure_topics_when_up(settings, [settings.topic_raw], stop)
        publishers = connect(settings, plans, stop)
        companions = make_companions(settings, cameras, publishers.live)
        with Progress(cameras) as progress:
            fleet = Fleet(cameras, stop, health, companions, waits=settings.waits)
            fleet.run(publishers, progress)
    return 0


def connect(
    settings: ProducerSettings, plans: Sequence[CameraPlan], stop: StopSignal
) -> Publishers:
    """The publishers that these cameras need, and those that may come."""
    stored = live = None
    if any(not plan.live for plan in plans):
        pairs = [pair.rpartition(":") for pair in settings.backlog_groups]
        groups = [(group, topic) for group, _, topic in pairs]
        probe = GroupLag(settings, groups, plain_topic=settings.topic_raw)
        gate = BacklogGate(probe, settings.backlog_max_bytes, stop.wait)
        stored = StoredPublisher(settings, gate, stop.wait)
    if settings.waits or any(plan.live for plan in plans):
        live = LivePublisher(settings)
    return Publishers(stored, live)
