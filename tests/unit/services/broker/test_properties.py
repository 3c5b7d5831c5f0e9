"""The configuration an embedded Kafka is started with."""

from __future__ import annotations

from pathlib import Path

from services.broker.properties import Node, log4j2_properties, server_properties

ONE = (Node(1, 19092, 19093),)
THREE = tuple(Node(number, 19000 + number, 19100 + number) for number in (1, 2, 3))


def values(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_every_listener_is_on_the_loopback_interface() -> None:
    config = values(server_properties(ONE[0], ONE, Path("/data"), 1_000_000))
    assert config["listeners"] == "CLIENT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093"
    assert config["advertised.listeners"] == "CLIENT://127.0.0.1:19092"
    assert config["controller.quorum.voters"] == "1@127.0.0.1:19093"


def test_one_node_keeps_one_copy_of_everything() -> None:
    config = values(server_properties(ONE[0], ONE, Path("/data"), 1_000_000))
    assert {value for name, value in config.items() if name.endswith("replication.factor")} == {"1"}
    assert config["min.insync.replicas"] == "1"
    assert config["transaction.state.log.min.isr"] == "1"


def test_three_nodes_keep_three_copies_and_need_two() -> None:
    config = values(server_properties(THREE[1], THREE, Path("/data"), 1_000_000))
    assert {value for name, value in config.items() if name.endswith("replication.factor")} == {"3"}
    assert config["min.insync.replicas"] == "2"
    assert config["transaction.state.log.min.isr"] == "2"
    assert config["node.id"] == "2"
    assert config["controller.quorum.voters"].count("@") == 3


def test_requests_and_segments_grow_with_the_largest_record() -> None:
    small = values(server_properties(ONE[0], ONE, Path("/data"), 8_388_608))
    large = values(server_properties(ONE[0], ONE, Path("/data"), 104_857_600))
    assert small["message.max.bytes"] == "8388608"
    assert int(large["socket.request.max.bytes"]) > 104_857_600
    assert int(large["log.segment.bytes"]) > 104_857_600


def test_a_backslash_in_a_path_is_written_so_that_java_reads_it() -> None:
    config = values(server_properties(ONE[0], ONE, Path("/odd\\name"), 1_000_000))
    assert config["log.dirs"] == "/odd\\\\name"


def test_the_logs_are_bounded() -> None:
    config = values(log4j2_properties(Path("/data/kafka.log")))
    assert config["appender.file.fileName"] == "/data/kafka.log"
    assert config["appender.file.policies.size.size"] == "10MB"
    assert config["rootLogger.level"] == "warn"
