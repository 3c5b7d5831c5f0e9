"""How topics are named and made."""

from __future__ import annotations

from typing import ClassVar

from services.kafka.settings import KafkaSettings
from services.kafka.topics import dlq_topic, person_topic, standing_topics, topic_spec


class Settings(KafkaSettings):
    service_name: ClassVar[str] = "test"
    summary: ClassVar[str] = "a test"


S = Settings.load(env={})


def test_every_topic_has_a_dead_letter_twin() -> None:
    names = standing_topics(S)
    assert {"frames.raw", "frames.processed", "faces.detected", "faces.identified"} <= set(names)
    plain = [name for name in names if not name.endswith(".dlq")]
    assert sorted(names) == sorted([*plain, *map(dlq_topic, plain)])


def test_a_person_has_a_topic_of_their_slug() -> None:
    assert person_topic(S, "ada") == "faces.person.ada"


def test_frames_are_kept_for_hours_and_faces_for_weeks() -> None:
    hour_ms = 3_600_000
    assert int(topic_spec(S, "frames.raw").config["retention.ms"]) == 6 * hour_ms
    assert int(topic_spec(S, "faces.person.ada").config["retention.ms"]) == 6 * hour_ms
    for name in ("faces.detected", "faces.detected.dlq"):
        assert int(topic_spec(S, name).config["retention.ms"]) == 30 * 24 * hour_ms


def test_a_dead_letter_fits_where_the_record_did() -> None:
    def limit(name: str) -> int:
        return int(topic_spec(S, name).config["max.message.bytes"])

    assert limit("frames.raw.dlq") > limit("frames.raw") > S.max_record_bytes


def test_three_replicas_want_two_in_sync() -> None:
    three = Settings.load(env={"TOPIC_REPLICATION": "3"})
    assert topic_spec(three, "frames.raw").config["min.insync.replicas"] == "2"
    assert "min.insync.replicas" not in topic_spec(S, "frames.raw").config
