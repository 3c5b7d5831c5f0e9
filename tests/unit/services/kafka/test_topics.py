"""How topics are named and made."""

from __future__ import annotations

from typing import ClassVar

from services.kafka.settings import KafkaSettings
from services.kafka.topics import dlq_topic, person_topic, standing_topics, topic_spec


class Settings(KafkaSettings):
    service_name: ClassVar[str] = "test"
    summary: ClassVar[str] = "a test"


S = Settings.load(env={})


def test_every_topic_of_records_has_a_dead_letter_twin() -> None:
    names = standing_topics(S)
    assert {"frames.raw", "frames.processed", "faces.detected", "faces.identified"} <= set(names)
    plain = [name for name in names if not name.endswith(".dlq") and name != S.topic_status]
    assert sorted(names) == sorted([*plain, *map(dlq_topic, plain), S.topic_status])


def test_how_services_are_doing_is_kept_for_an_hour_in_one_partition() -> None:
    spec = topic_spec(S, "facestream.status")
    assert spec.partitions == 1
    assert int(spec.config["retention.ms"]) == 3_600_000
    assert int(spec.config["segment.ms"]) < 3_600_000


def test_who_reports_nothing_needs_no_topic_for_it() -> None:
    silent = Settings.load(env={"STATUS_EVERY_S": "0"})
    assert silent.topic_status not in standing_topics(silent)


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
