"""Describing groups while their broker goes and comes back."""

from __future__ import annotations

import pytest
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from services.kafka.groups import GroupDescriber
from tests.brokers import KafkaFactory
from tests.waiting import eventually

pytestmark = pytest.mark.kafka


def answers(describer: GroupDescriber) -> bool:
    """Whether the coordinator does, which may still be loading."""
    try:
        return describer.describe("nobody", 1).state is ConsumerGroupState.DEAD
    except (TimeoutError, KafkaException):
        return False


def test_a_broker_that_was_away_for_several_looks_does_not_end_the_process(
    start_kafka: KafkaFactory,
) -> None:
    broker = start_kafka()
    servers = broker.bootstrap_servers
    describer = GroupDescriber(lambda: AdminClient({"bootstrap.servers": servers, "log_level": 0}))
    eventually(lambda: answers(describer), 60, "a first answer")

    for _ in range(2):
        broker.kill_node(1)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                describer.describe("nobody", 0.5)
        broker.start_node(1)
        eventually(lambda: answers(describer), 60, "an answer")
