"""Three brokers of which one dies; TLS and SASL between everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stack.engine import SERVICES, Stack, stack
from tests.stack.test_demo import names_everybody
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)

STRANGER = """
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

try:
    print(AdminClient({"bootstrap.servers": "kafka:9092", "log_level": 0}).list_topics(timeout=5))
except KafkaException:
    print("refused")
"""


def all_go_on(stack: Stack, since: str) -> bool:
    """Whether the page has a newer frame of every camera."""
    cameras = stack.get("/api/state.json").json()["cameras"]
    return all(camera["last_seen"] > since for camera in cameras)


def test_a_cluster_goes_on_without_one_of_its_brokers(images: None, tmp_path: Path) -> None:
    with stack(
        tmp_path, ["compose.demo.yml", "compose.cluster.yml"], FPS="5", KAFKA_HEAP="256m"
    ) as made:
        made.up()
        tool = "/opt/kafka/bin/kafka-topics.sh"
        told = made.compose(
            *("exec", "-T", "kafka", tool, "--bootstrap-server", "kafka:9092"),
            *("--describe", "--topic", "frames.raw"),
        )
        assert "ReplicationFactor: 3" in told
        assert "min.insync.replicas=2" in told
        names_everybody(made)

        made.compose("kill", "kafka-2")
        now = made.get("/api/state.json").json()["now"]
        eventually(lambda: all_go_on(made, now), 120, "new frames of every camera")


def test_everything_speaks_tls_and_strangers_are_refused(images: None, tmp_path: Path) -> None:
    with stack(tmp_path, ["compose.demo.yml", "compose.tls.yml"], FPS="5") as made:
        made.script("tls")
        made.up(*SERVICES)
        names_everybody(made)
        assert made.python(STRANGER) == "refused"
        encrypted = made.compose(
            *("exec", "-T", "postgres", "psql", "--username=facestream", "--tuples-only"),
            "--command=select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) "
            "where client_addr is not null",
        )
        assert encrypted.strip() == "t"
        assert made.page.startswith("https://")
