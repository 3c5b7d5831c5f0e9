"""Brokers for tests: a real Apache Kafka, the one in memory, and clusters that may be killed.

`kafka` is started once for the whole run by the code of `EMBEDDED_BROKER=kafka`, or is the
cluster of KAFKA_BOOTSTRAP_SERVERS where that is set. Tests share it: names of topics and groups
start with `topic_prefix`, which is new for every test.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from services.broker.jars import default_cache_dir, ensure_jars
from services.broker.java import find_java
from services.broker.kafka import KafkaBroker, KafkaOptions
from services.broker.memory import MemoryBroker
from services.errors import BrokerError
from tests.conftest import require_or_skip

KafkaFactory = Callable[..., KafkaBroker]


@pytest.fixture(scope="session")
def start_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaFactory]:
    """Starts `KafkaBroker`s of the test's own: `start_kafka(nodes=1, data_dir=None, **options)`.

    They run until the end of the session unless the test stops them.
    """
    try:
        java, jars = find_java(), ensure_jars(default_cache_dir())
    except BrokerError as error:
        require_or_skip(False, str(error))
        raise

    with ExitStack() as stack:

        def start(nodes: int = 1, data_dir: Path | None = None, **options: float) -> KafkaBroker:
            where = data_dir or tmp_path_factory.mktemp("kafka")
            chosen = replace(KafkaOptions(nodes=nodes, heap_mb=384), **options)  # type: ignore[arg-type]
            return stack.enter_context(KafkaBroker(java, jars, where, chosen))

        yield start


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> str:
    """`bootstrap.servers` of a real Apache Kafka."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return given
    start: KafkaFactory = request.getfixturevalue("start_kafka")
    return start().bootstrap_servers


@pytest.fixture
def kafka_cluster(start_kafka: KafkaFactory) -> Iterator[KafkaFactory]:
    """Starts clusters that end with the test: `kafka_cluster(nodes=3)`."""
    with ExitStack() as stack:

        def start(nodes: int = 3, **options: float) -> KafkaBroker:
            return stack.enter_context(start_kafka(nodes, **options))

        yield start


@pytest.fixture
def memory_broker() -> Iterator[str]:
    """`bootstrap.servers` of an in-memory broker that is this test's alone."""
    with MemoryBroker() as broker:
        yield broker.bootstrap_servers


@pytest.fixture(params=[pytest.param("kafka", marks=pytest.mark.kafka), "memory"])
def broker(request: pytest.FixtureRequest) -> str:
    """`bootstrap.servers` of each kind in turn."""
    fixture = "kafka" if request.param == "kafka" else "memory_broker"
    servers: str = request.getfixturevalue(fixture)
    return servers


@pytest.fixture
def topic_prefix() -> str:
    """Start of the names of this test's topics and groups, so that tests do not meet."""
    return f"t{uuid.uuid4().hex[:10]}."
