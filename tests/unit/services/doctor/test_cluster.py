"""What is made of a cluster's answers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from services.doctor.cluster import (
    Cluster,
    broker_check,
    cluster_checks,
    dead_letters_check,
    topic_settings_check,
    topics_check,
)
from services.doctor.machine import disk
from services.errors import BrokerError
from services.kafka.settings import KafkaSettings
from services.kafka.topics import standing_topics, topic_spec


class Settings(KafkaSettings):
    service_name: ClassVar[str] = "doctor"
    summary: ClassVar[str] = "a test"


S = Settings.load(env={})
AS_WANTED = {name: topic_spec(S, name).config for name in standing_topics(S)}


def cluster(**given: object) -> Cluster:
    found: dict[str, object] = {
        "brokers": 1,
        "in_memory": False,
        "topics": frozenset(standing_topics(S)),
        "config": AS_WANTED,
        "dead_letters": {},
    }
    return Cluster(**(found | given))  # type: ignore[arg-type]


def test_a_cluster_as_it_is_meant_to_be_has_nothing_to_be_done() -> None:
    found = cluster()
    checks = [
        broker_check(S, found),
        topics_check(S, found),
        topic_settings_check(S, found),
        dead_letters_check(found),
    ]
    assert [check.state for check in checks] == ["ok"] * 4
    assert {check.fix for check in checks} == {""}


def test_missing_topics_are_named_and_are_worse_where_nobody_makes_them() -> None:
    found = cluster(topics=frozenset(standing_topics(S)) - {"frames.raw"})
    assert topics_check(S, found).state == "warn"
    assert "frames.raw" in topics_check(S, found).detail
    strict = Settings.load(env={"KAFKA_CREATE_TOPICS": "false"})
    assert topics_check(strict, found).state == "fail"


def test_a_topic_that_refuses_large_frames_must_be_fixed() -> None:
    config = AS_WANTED | {"frames.raw": {"max.message.bytes": "1000000", "retention.ms": "-1"}}
    found = topic_settings_check(S, cluster(config=config))
    assert found.state == "fail"
    assert found.detail.endswith(": frames.raw")


def test_a_topic_that_forgets_early_is_said_and_one_that_keeps_all_is_not() -> None:
    short = AS_WANTED["frames.raw"] | {"retention.ms": "60000"}
    for_ever = AS_WANTED["faces.detected"] | {"retention.ms": "-1"}
    config = AS_WANTED | {"frames.raw": short, "faces.detected": for_ever}
    found = topic_settings_check(S, cluster(config=config))
    assert found.state == "warn"
    assert found.detail.endswith(": frames.raw")


def test_dead_letters_are_counted_by_topic_and_only_a_few_are_named() -> None:
    letters = {f"topic-{number}.dlq": number for number in range(1, 9)}
    found = dead_letters_check(cluster(dead_letters=letters))
    assert found.state == "warn"
    assert found.detail.startswith("1 in topic-1.dlq, ")
    assert found.detail.endswith("and 3 more")


def test_a_broker_that_does_not_answer_is_the_one_finding() -> None:
    nobody = Settings.load(env={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})
    (check,) = cluster_checks(nobody, 0.5)
    assert (check.what, check.state) == ("broker", "fail")
    assert "127.0.0.1:9" in check.detail
    assert not check.detail.endswith(": ")


def test_credentials_that_are_refused_are_to_be_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise BrokerError("Kafka refuses the credentials: wrong password", "wrong password")

    monkeypatch.setattr("services.doctor.cluster.list_topics", refuse)
    (check,) = cluster_checks(S, 0.5)
    assert check.detail.endswith(": wrong password")
    assert "KAFKA_SASL_PASSWORD" in check.fix


def test_whoever_looks_may_have_words_of_their_own() -> None:
    def say(key: str, /, **values: object) -> str:
        return f"<{key} {' '.join(sorted(values))}>"

    check = topics_check(S, cluster(topics=frozenset()), say)
    assert (check.what, check.detail) == ("<topics >", "<topics_missing names>")
    assert check.fix == "<topics_missing_fix >"


def test_the_disk_is_looked_at_where_the_folder_will_be(tmp_path: Path) -> None:
    check = disk(tmp_path / "not" / "there" / "yet")
    assert "GB free" in check.detail
    assert str(tmp_path) in check.detail
