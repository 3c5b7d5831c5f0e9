"""Bringing up the embedded broker that was asked for, or the best there is."""

from __future__ import annotations

from pathlib import Path

import structlog

from services.broker.jars import (
    KAFKA_VERSION,
    Progress,
    default_cache_dir,
    download_size_bytes,
    ensure_jars,
    is_complete,
)
from services.broker.java import find_java
from services.broker.kafka import KafkaBroker, KafkaOptions
from services.broker.memory import MemoryBroker
from services.broker.seam import Broker, BrokerChoice
from services.errors import BrokerError

log = structlog.get_logger()

_TO_GET_KAFKA = "EMBEDDED_BROKER=kafka keeps everything"
_TO_GET_MEMORY = "EMBEDDED_BROKER=memory starts at once and keeps nothing"


def start_broker(
    kind: BrokerChoice,
    data_dir: Path,
    options: KafkaOptions = KafkaOptions(),  # noqa: B008 - frozen
    *,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> Broker:
    """Bring up a broker on this machine; the caller stops it.

    Args:
        kind: which one; `auto` is Kafka where Java and its jars are to be had, else memory.
        data_dir: where Kafka keeps its log, in `kafka` below it.
        options: how Kafka is to run.
        cache_dir: where its jars are or land; `default_cache_dir()` when None.
        progress: told how far a download of the jars is.

    Raises:
        BrokerError: the broker that was asked for cannot run; with `auto`, only when Kafka is
            there and fails, for what it holds must not silently be left aside.
    """
    if kind == "memory":
        return _explained(MemoryBroker(), _TO_GET_KAFKA)
    try:
        java = find_java()
        jars = _jars(cache_dir or default_cache_dir(), progress)
    except BrokerError as missing:
        if kind == "kafka":
            raise
        return _explained(MemoryBroker(), f"no Kafka here, {missing}")
    broker = KafkaBroker(java, jars, data_dir, options)
    return _explained(broker, _TO_GET_MEMORY) if kind == "auto" else broker


def _jars(cache_dir: Path, progress: Progress | None) -> tuple[Path, ...]:
    if not is_complete(cache_dir):
        size_mb = round(download_size_bytes() / 1e6)
        log.info("downloading Apache Kafka, once", version=KAFKA_VERSION, size_mb=size_mb)
    return ensure_jars(cache_dir, progress)


def _explained(broker: MemoryBroker | KafkaBroker, other: str) -> Broker:
    broker.explain = f"{broker.explain} ({other})"
    return broker
