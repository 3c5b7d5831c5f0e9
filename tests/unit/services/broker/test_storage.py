"""The directory of an embedded Kafka: one owner, one cluster, and last words for people."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.broker.storage import ClusterStorage, last_words
from services.errors import BrokerError

STACK_TRACE = """\
2026-11-20T22:17:43,121 INFO  ControllerServer - starting
2026-11-20T22:17:44,000 ERROR KafkaRaftServer - Got exception while starting
org.apache.kafka.common.KafkaException: Socket server failed to bind
\tat kafka.network.Acceptor.openServerSocket(SocketServer.scala:733)
Caused by: java.net.BindException: Address already in use
\tat sun.nio.ch.Net.bind(Net.java:555)
\t... 5 more
2026-11-20T22:17:45,000 INFO  KafkaRaftServer - shutting down
"""


def test_the_identity_of_a_cluster_is_made_once_and_kept(tmp_path: Path) -> None:
    ClusterStorage(tmp_path / "kafka", 1).release()
    identity = (tmp_path / "kafka" / "cluster.json").read_text()
    ClusterStorage(tmp_path / "kafka", 1).release()
    assert (tmp_path / "kafka" / "cluster.json").read_text() == identity


def test_the_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    ClusterStorage(tmp_path / "kafka", 1).release()
    assert (tmp_path / "kafka").stat().st_mode & 0o077 == 0


def test_a_second_owner_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    first = ClusterStorage(tmp_path, 1)
    with pytest.raises(BrokerError, match=rf"process {os.getpid()}\): stop it, or choose another"):
        ClusterStorage(tmp_path, 1)
    first.release()
    ClusterStorage(tmp_path, 1).release()


def test_a_cluster_of_another_size_is_not_opened_and_the_directory_stays_free(
    tmp_path: Path,
) -> None:
    ClusterStorage(tmp_path, 3).release()
    with pytest.raises(BrokerError, match="a Kafka of 3 nodes, not 1"):
        ClusterStorage(tmp_path, 1)
    ClusterStorage(tmp_path, 3).release()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cluster_id": "x"}', '{"nodes": "many"}'])
def test_a_damaged_identity_says_what_to_remove(tmp_path: Path, content: str) -> None:
    (tmp_path / "cluster.json").write_text(content)
    with pytest.raises(BrokerError, match=rf"cluster.json is damaged: remove {tmp_path}"):
        ClusterStorage(tmp_path, 1)


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BrokerError, match=r"cannot keep its log in .*/file/kafka: "):
        ClusterStorage(tmp_path / "file" / "kafka", 1)


def test_the_logs_of_the_run_before_are_put_aside(tmp_path: Path) -> None:
    storage = ClusterStorage(tmp_path, 1)
    (storage.node_dir(1) / "kafka.log").write_text("then")
    storage.put_logs_aside(1)
    storage.put_logs_aside(1)
    storage.release()
    assert not (tmp_path / "node-1" / "kafka.log").exists()
    assert (tmp_path / "node-1" / "kafka.previous.log").read_text() == "then"


def test_the_last_words_are_the_cause_and_not_the_last_line(tmp_path: Path) -> None:
    (tmp_path / "kafka.log").write_text(STACK_TRACE)
    assert last_words(tmp_path / "kafka.log") == "java.net.BindException: Address already in use"


def test_without_a_cause_the_last_words_are_the_error(tmp_path: Path) -> None:
    (tmp_path / "kafka.log").write_text("a\n2026 ERROR KafkaServer - no space left\nb\n")
    assert last_words(tmp_path / "kafka.log") == "2026 ERROR KafkaServer - no space left"


def test_a_program_that_only_spoke_on_its_console_is_heard_there(tmp_path: Path) -> None:
    (tmp_path / "console.log").write_text("first\nInvalid maximum heap size\n\n")
    assert last_words(tmp_path / "none", tmp_path / "console.log") == "Invalid maximum heap size"


def test_last_words_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "kafka.log").write_text("x" * 10_000)
    assert len(last_words(tmp_path / "kafka.log")) == 300


def test_a_program_that_said_nothing_has_no_last_words(tmp_path: Path) -> None:
    (tmp_path / "kafka.log").write_text("\n")
    assert last_words(tmp_path / "kafka.log", tmp_path / "none") == "it said nothing"
