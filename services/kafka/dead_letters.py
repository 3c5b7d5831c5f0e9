"""Dead letters: a record that cannot be used goes to `<topic>.dlq` whole, and says why."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog
from confluent_kafka import Message

from services.errors import RecordError
from services.kafka.outputs import OutRecord, position
from services.kafka.topics import dlq_topic
from services.lifecycle import metrics
from services.records.frames import valid_camera_name
from services.records.headers import pairs, rfc3339

log = structlog.get_logger()


def dead_letter(message: Message, error: RecordError) -> OutRecord:
    """The record for the dead-letter topic: key, value and headers as they were, and why.

    Adds the headers `dlq-reason` (a word), `dlq-detail` (a sentence), `dlq-source`
    (topic/partition/offset) and `dlq-at` (RFC 3339).
    """
    topic = message.topic() or "unknown"
    headers = pairs(message)
    added = {
        "dlq-reason": error.reason,
        "dlq-detail": str(error),
        "dlq-source": position(message),
        "dlq-at": rfc3339(datetime.now(UTC)),
    }
    headers += [(name, value.encode()) for name, value in added.items()]
    return OutRecord(dlq_topic(topic), message.key(), message.value(), headers)


def count_dead_letter(message: Message, error: RecordError) -> None:
    """Log and count a dead letter, once it is on its way."""
    topic = message.topic() or "unknown"
    camera = camera_hint(message)
    metrics.DEAD_LETTERS.labels(topic=topic, reason=error.reason, camera=camera).inc()
    log.warning(
        "dead letter",
        topic=topic,
        camera=camera,
        partition=message.partition(),
        offset=message.offset(),
        reason=error.reason,
        detail=str(error),
    )


def camera_hint(message: Message) -> str:
    """The camera a record claims to be of, by header or key; `unknown` where it makes no sense."""
    claimed = dict(pairs(message)).get("camera")
    if claimed is None:
        claimed = (message.key() or b"").split(b"/")[0]
    name = claimed.decode(errors="replace")
    return name if valid_camera_name(name) else "unknown"
