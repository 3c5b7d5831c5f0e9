"""Whose fault an error of Kafka's is."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, Message

from services.errors import BrokerError, RecordError
from services.kafka.refusals import Deliveries, is_for_good

REPORT = Message(topic="out")


def test_a_record_that_is_too_large_is_the_records_fault() -> None:
    deliveries = Deliveries()
    deliveries(None, REPORT)
    deliveries(KafkaError(KafkaError._PURGE_QUEUE), REPORT)
    deliveries(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), REPORT)
    with pytest.raises(RecordError, match="out") as caught:
        deliveries.raise_refusals()
    assert caught.value.reason == "too-large"


def test_missing_rights_are_the_processes_fault() -> None:
    deliveries = Deliveries()
    deliveries(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), REPORT)
    with pytest.raises(BrokerError, match="out"):
        deliveries.raise_refusals()


def test_anything_else_may_be_tried_again() -> None:
    deliveries = Deliveries()
    deliveries(KafkaError(KafkaError._MSG_TIMED_OUT), REPORT)
    deliveries.raise_refusals()
    assert deliveries.failed.startswith("out: ")
    assert not is_for_good(KafkaError(KafkaError._TRANSPORT))


def test_no_news_is_good_news() -> None:
    deliveries = Deliveries()
    deliveries(None, REPORT)
    deliveries.raise_refusals()
    assert deliveries.failed == ""
