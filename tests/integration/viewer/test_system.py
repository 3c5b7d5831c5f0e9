"""The viewer hears how every service is doing, and how far the consumer groups are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from services.kafka.clients import make_consumer, make_producer
from services.kafka.settings import KafkaSettings
from services.kafka.topics import ensure_topics, standing_topics
from services.lifecycle import metrics
from services.lifecycle.health import Health
from services.status.reporter import reporting
from tests.brokers import KafkaFactory
from tests.pipeline import services, topic_env
from tests.waiting import eventually
from viewer.board import Board
from viewer.identifier import Identifier
from viewer.state import StateReader
from viewer.system.document import CheckJson, SystemJson
from viewer.system.findings import PageFacts
from viewer.system.system import System, WatchedGroups
from viewer.texts import Texts


class Settings(KafkaSettings):
    service_name: ClassVar[str] = "worker"
    summary: ClassVar[str] = "a test"


def settings_for(bootstrap: str, prefix: str, **env: str) -> Settings:
    return Settings.load(
        env=topic_env(prefix)
        | {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "TOPIC_STATUS": f"{prefix}status",
            "STATUS_EVERY_S": "0.2",
            "KAFKA_GROUP_PROTOCOL": "consumer",
        }
        | env
    )


@contextmanager
def system(
    settings: Settings, prefix: str = "", facts: PageFacts | None = None
) -> Iterator[System]:
    """A System that listens; its groups are of this test alone."""
    groups = WatchedGroups(f"{prefix}workers", f"{prefix}identifiers")
    state = StateReader(Board(2, 3_600), Health())
    identifier = Identifier("http://127.0.0.1:9")
    made = System(settings, groups, facts or PageFacts(), state, identifier, Texts())
    made.start()
    try:
        yield made
    finally:
        made.stop()
        identifier.close()


def until(
    system: System, holds: Callable[[SystemJson], object], what: str, timeout_s: float = 40
) -> SystemJson:
    """The first document of which something holds."""
    eventually(lambda: bool(holds(system.document())), timeout_s, what)
    return system.document()


def group(document: SystemJson, role: str) -> dict[str, object]:
    return next((dict(each) for each in document["groups"] if each["role"] == role), {})


def finding(system: System, what: str) -> CheckJson:
    checks = system.findings(wait_s=20)["checks"]
    return next(check for check in checks if check["what"] == what)


def test_what_a_service_says_is_on_the_page_within_seconds(broker: str, topic_prefix: str) -> None:
    settings = settings_for(broker, topic_prefix)
    health = Health("models")
    with system(settings, topic_prefix) as seen:
        with reporting(settings, health, "box-1") as status:
            until(seen, lambda d: [i["state"] for i in d["instances"]] == ["waiting"], "it waits")
            health.ready("models", ok=True)
            status.tell(model_pack="buffalo_s", device="cpu")
            metrics.FRAMES_OUT.labels("system-test").inc(100)
            now = until(
                seen,
                lambda d: any(_known(d, "frames_worker")) and d["packs"],
                "frames are counted, and what the models are is known",
            )
            until(seen, lambda d: [i["state"] for i in d["instances"]] == ["ready"], "it is ready")
        until(seen, lambda d: [i["state"] for i in d["instances"]] == ["ended"], "it ended")
    assert now["kafka"]["answering"]
    assert now["instances"][0]["instance"] == "box-1"
    assert [pack["name"] for pack in now["packs"]] == ["buffalo_s"]


def test_a_viewer_that_starts_later_knows_the_minutes_before(
    broker: str, topic_prefix: str
) -> None:
    settings = settings_for(broker, topic_prefix)
    with reporting(settings, Health(), "box-1"), system(settings, topic_prefix) as first:
        until(first, lambda d: d["instances"], "it is heard")
    with system(settings, topic_prefix) as later:
        now = until(later, lambda d: d["instances"], "it is known")
    assert [each["state"] for each in now["instances"]] == ["ended"]


def test_records_that_are_no_reports_are_counted_and_do_no_harm(
    memory_broker: str, topic_prefix: str
) -> None:
    settings = settings_for(memory_broker, topic_prefix)
    ensure_topics(settings, [settings.topic_status])
    producer = make_producer(settings)
    for value in (b"", b"{", b"\xff" * 100_000):
        producer.produce(settings.topic_status, value)
    assert producer.flush(10) == 0
    with system(settings, topic_prefix) as seen, reporting(settings, Health(), "box-1"):
        now = until(seen, lambda d: d["unreadable"] == 3 and d["instances"], "all are read")
    assert [each["instance"] for each in now["instances"]] == ["box-1"]


def test_lag_is_what_the_group_has_not_taken_yet(broker: str, topic_prefix: str) -> None:
    settings = settings_for(broker, topic_prefix)
    with system(settings, topic_prefix) as seen:
        until(seen, lambda d: group(d, "worker").get("no_topic"), "there is no topic")
        ensure_topics(settings, [settings.topic_raw])
        producer = make_producer(settings)
        for number in range(10):
            producer.produce(settings.topic_raw, b"x", key=str(number))
        assert producer.flush(10) == 0
        until(seen, lambda d: group(d, "worker").get("lag") == 10, "all ten wait")
        consumer = make_consumer(settings, f"{topic_prefix}workers")
        consumer.subscribe([settings.topic_raw])
        taken = 0
        while taken < 4:
            message = consumer.poll(20)
            assert message is not None
            assert message.error() is None
            consumer.commit(message=message, asynchronous=False)
            taken += 1
        now = until(seen, lambda d: group(d, "worker").get("lag") == 6, "six wait")
        members = next(each["members"] for each in now["groups"] if each["role"] == "worker")
        owners = {p["member"] for g in now["groups"] for p in g["partitions"]} - {None}
        consumer.close()
    # Only a real broker tells who is in a group.
    assert (members, len(owners)) in ((1, 1), (None, 0))


@pytest.mark.kafka
def test_kafka_away_is_said_and_when_it_is_back_all_goes_on(
    kafka_cluster: KafkaFactory, topic_prefix: str
) -> None:
    cluster = kafka_cluster(nodes=1)
    settings = settings_for(cluster.bootstrap_servers, topic_prefix)
    with system(settings, topic_prefix) as seen, reporting(settings, Health(), "box-1"):
        until(seen, lambda d: d["kafka"]["answering"] and d["instances"], "it is heard")
        cluster.kill_node(1)
        away = until(seen, lambda d: d["kafka"]["answering"] is False, "Kafka is away")
        cluster.start_node(1)
        before = away["instances"][0]["seen_at"]
        until(
            seen,
            lambda d: d["kafka"]["answering"] and d["instances"][0]["seen_at"] > before,
            "it is heard again",
        )
    assert cluster.bootstrap_servers in away["kafka"]["detail"]
    assert away["kafka"]["heard_at"]
    assert [each["state"] for each in away["instances"]] == ["ready"]


def test_the_doctor_says_what_is_missing_and_what_to_do(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    settings = settings_for(broker, topic_prefix)
    facts = PageFacts(loopback_only=False, login=False, data_dir=tmp_path)
    with system(settings, topic_prefix, facts) as seen:
        assert finding(seen, "broker")["state"] == "ok"
        topics = finding(seen, "topics")
        assert topics["state"] == "warn"
        assert settings.topic_raw in topics["detail"]
        assert topics["fix"] == "facestream topics create"
        assert finding(seen, "reports")["state"] == "warn"
        assert finding(seen, "identifier API")["state"] == "fail"
        assert finding(seen, "access")["state"] == "fail"
        assert str(tmp_path) in finding(seen, "disk")["detail"]


def test_the_doctor_counts_dead_letters(broker: str, topic_prefix: str) -> None:
    settings = settings_for(broker, topic_prefix)
    ensure_topics(settings, standing_topics(settings))
    producer = make_producer(settings)
    for _ in range(3):
        producer.produce(f"{settings.topic_raw}.dlq", b"x")
    assert producer.flush(10) == 0
    with system(settings, topic_prefix) as seen:
        letters = finding(seen, "dead letters")
        assert letters["state"] == "warn"
        assert letters["detail"] == f"3 in {settings.topic_raw}.dlq"
        assert finding(seen, "topics")["state"] == "ok"


def test_without_a_broker_the_doctor_says_that_first() -> None:
    settings = settings_for("127.0.0.1:9", "t.")
    with system(settings) as seen:
        first, *_ = seen.findings(wait_s=30)["checks"]
        assert (first["what"], first["state"]) == ("broker", "fail")
        until(seen, lambda d: d["kafka"]["answering"] is False, "Kafka is away")
        assert seen.document()["kafka"]["heard_at"] is None


def test_a_real_worker_says_what_runs_and_how_fast(
    memory_broker: str, topic_prefix: str, tmp_path: Path, jpegs: list[bytes]
) -> None:
    settings = settings_for(memory_broker, topic_prefix)
    given = {
        "TOPIC_STATUS": settings.topic_status,
        "STATUS_EVERY_S": "0.5",
        "GROUP_ID": f"{topic_prefix}workers",
        "DELIVERY": "at_least_once",
        "KAFKA_GROUP_PROTOCOL": "consumer",
        "MAX_FRAME_AGE_S": "0",
        "TRANSACTIONAL_ID": "facestream-worker-box-7",
    }
    with (
        services(memory_broker, topic_prefix, tmp_path, **given) as running,
        system(settings, topic_prefix) as seen,
    ):
        worker = running.start("worker")
        running.ready(worker)
        producer = make_producer(settings)
        for jpeg in jpegs[:12]:
            producer.produce(settings.topic_raw, jpeg, key="door")
        assert producer.flush(10) == 0
        until(seen, lambda d: any(_known(d, "frames_worker")), "frames are counted")
        now = until(seen, lambda d: any(_known(d, "batch_most")), "and batches")
        (instance,) = now["instances"]
        assert instance["instance"] == "box-7"
        assert instance["state"] == "ready"
        assert instance["about"] == {"model_pack": "buffalo_s", "device": "cpu"}
        assert max(_known(now, "p95_worker")) > 0
        assert finding(seen, "workers")["detail"] == "1 running"
        assert finding(seen, "models")["detail"] == "buffalo_s on cpu"


def _known(document: SystemJson, series: str) -> list[float]:
    return [value for value in document["series"][series] if value is not None]


def test_settings_that_no_client_takes_are_said_once_and_end_nothing(topic_prefix: str) -> None:
    settings = settings_for("127.0.0.1:9", topic_prefix, KAFKA_CONFIG__no_such_property="1")
    with system(settings, topic_prefix) as seen:
        now = until(seen, lambda d: d["kafka"]["answering"] is False, "it is said")
    assert "no.such.property" in now["kafka"]["detail"]
