"""Closing a consumer without waiting for a broker that is gone."""

from __future__ import annotations

import threading

import structlog
from confluent_kafka import Consumer

log = structlog.get_logger()


def close_within(consumer: Consumer, timeout_s: float) -> bool:
    """Leave the group and close; whether that was done in time.

    librdkafka's own close waits for commits that no broker may ever answer, and has no timeout.
    What is not closed in time is left to the end of the process.
    """
    closing = threading.Thread(target=consumer.close, name="closing", daemon=True)
    closing.start()
    closing.join(timeout_s)
    if closing.is_alive():
        log.warning("consumer not closed, the broker does not answer")
    return not closing.is_alive()
