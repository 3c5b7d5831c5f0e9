"""Clients of the broker under test."""

from __future__ import annotations

import pytest

from tests.integration.broker.parts import Clients


@pytest.fixture
def clients(broker: str) -> Clients:
    """Clients of each kind of broker in turn."""
    return Clients(broker)


@pytest.fixture
def kafka_clients(kafka: str) -> Clients:
    """Clients of a real Kafka."""
    return Clients(kafka)


@pytest.fixture
def memory_clients(memory_broker: str) -> Clients:
    """Clients of an in-memory broker."""
    return Clients(memory_broker)
