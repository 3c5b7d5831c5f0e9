"""What the checks say on a terminal; the page has a text of its own under each of these keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.words import say_from

ENGLISH: Final[Mapping[str, str]] = {
    "and_more": "{first} and {n} more",
    "broker": "broker",
    "broker_away": "no Kafka at {servers} within {seconds} s: {why}",
    "broker_away_fix": "start it, or correct KAFKA_BOOTSTRAP_SERVERS",
    "broker_refuses": "Kafka at {servers} refuses the credentials: {why}",
    "broker_refuses_fix": (
        "correct KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD or KAFKA_SASL_MECHANISM"
    ),
    "brokers_1": "{servers}: 1 broker",
    "brokers": "{servers}: {n} brokers",
    "in_memory": "{brokers}, in memory: nothing is kept after exit",
    "topics": "topics",
    "topics_there": "all there",
    "topics_missing": "missing: {names}",
    "topics_missing_fix": "facestream topics create",
    "topic_settings": "topic settings",
    "topics_as_set": "sizes and retention as set",
    "topics_small": "max.message.bytes is too small for KAFKA_MAX_MESSAGE_BYTES: {names}",
    "topics_small_fix": "raise it with kafka-configs.sh, or lower KAFKA_MAX_MESSAGE_BYTES",
    "topics_short": "kept for less time than RETENTION_FRAMES_H or RETENTION_FACES_H: {names}",
    "topics_short_fix": "raise retention.ms with kafka-configs.sh, or lower the variable",
    "dead_letters": "dead letters",
    "no_dead_letters": "none",
    "dead_letters_in": "{n} in {topic}",
    "dead_letters_fix": (
        "their headers say why: kafka-console-consumer.sh --property print.headers=true"
    ),
    "disk": "disk",
    "disk_free": "{folder}: {gb} GB free",
    "disk_free_fix": "free some, or set DATA_DIR elsewhere",
}

in_english: Final = say_from(ENGLISH)
