"""Entry point of the worker: wires settings, models, clients and the loop."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from consumer.settings import WorkerSettings
from consumer.worker import FrameWorker, WorkerLimits
from services.kafka.batches import BatchLimits, BatchReader
from services.kafka.clients import make_consumer, make_producer
from services.kafka.closing import close_within
from services.kafka.loop import ConsumeProcessProduce
from services.kafka.settlement import AtLeastOnce, ExactlyOnce, Settlement
from services.kafka.topics import dlq_topic, ensure_topics_when_up
from services.lifecycle.health import Health
from services.lifecycle.service import running
from services.lifecycle.watchdog import watched
from services.models.analysis import FaceAnalyser
from services.status.reporter import reporting

log = structlog.get_logger()

_CLOSE_S = 3.0


def main(argv: Sequence[str] = ()) -> int:
    """Run one worker until it is told to stop."""
    settings = WorkerSettings.load(argv)
    health = Health("models", "partitions")
    name = settings.transactional_id.removeprefix("facestream-worker-")
    with (
        running(settings, health) as stop,
        reporting(settings, health, name) as status,
        # librdkafka may not come back from a transaction when a broker dies (its issue 5456).
        watched(health),
    ):
        analyser = FaceAnalyser.from_settings(settings)
        health.ready("models", ok=True, detail=analyser.pack_name)
        status.tell(model_pack=analyser.pack_name, device=analyser.device)
        topics = (settings.topic_raw, settings.topic_processed, settings.topic_detected)
        ensure_topics_when_up(settings, (*topics, dlq_topic(settings.topic_raw)), stop)
        exactly_once = settings.delivery == "exactly_once"
        producer = make_producer(
            settings, transactional_id=settings.transactional_id if exactly_once else None
        )
        consumer = make_consumer(settings, settings.group_id)
        settlement: Settlement = (
            ExactlyOnce(producer, health.beat) if exactly_once else AtLeastOnce(consumer, producer)
        )
        worker = FrameWorker(
            analyser,
            processed_topic=settings.topic_processed,
            detected_topic=settings.topic_detected,
            limits=WorkerLimits(
                max_bytes=settings.kafka_max_message_bytes,
                max_pixels=settings.max_frame_pixels,
                max_age_s=settings.max_frame_age_s,
                crop_quality=settings.crop_jpeg_quality,
            ),
        )
        limits = BatchLimits(settings.batch_max, settings.batch_wait_ms / 1000)
        try:
            reader = BatchReader(consumer, [settings.topic_raw], limits, health)
            ConsumeProcessProduce(
                reader, worker, settlement, health, max_record_bytes=settings.max_record_bytes
            ).run(stop)
        finally:
            close_within(consumer, _CLOSE_S)
    return 0
