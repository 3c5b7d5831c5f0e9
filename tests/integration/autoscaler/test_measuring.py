from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from confluent_kafka import Producer

from autoscaler.load import Sample
from autoscaler.measuring import KafkaMeter
from autoscaler.settings import AutoscalerSettings
from autoscaler.skips import Skips
from services.errors import BrokerUnavailable
from services.status.report import Numbers, StatusReport
from tests.integration.autoscaler.conftest import PARTITIONS
from tests.member import Member, MemberSettings
from tests.waiting import eventually

pytestmark = pytest.mark.kafka

Write = Callable[[int], None]
Members = Callable[[int], MemberSettings]


def meter_of(settings: AutoscalerSettings) -> KafkaMeter:
    return KafkaMeter(settings, settings.worker_group, settings.topic_raw)


def look(meter: KafkaMeter) -> Sample:
    """The next sample there is; a group's coordinator may not be there at once."""
    found: list[Sample] = []

    def answers() -> bool:
        try:
            found.append(meter.sample())
        except BrokerUnavailable:
            return False
        return True

    eventually(answers, 60, "an answer")
    return found[-1]


def test_before_anybody_reads_all_that_was_written_waits(
    settings: AutoscalerSettings, write: Write
) -> None:
    write(10)
    with meter_of(settings) as meter:
        sample = look(meter)
    assert (sample.written, sample.done, sample.partitions) == (10, 0, PARTITIONS)
    assert sample.members == frozenset()


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_what_is_committed_is_done_and_those_who_read_are_members(
    settings: AutoscalerSettings, write: Write, member: Members, protocol: str
) -> None:
    write(20)
    worker = member(0).model_copy(update={"kafka_group_protocol": protocol})
    with meter_of(settings) as meter, Member(worker):
        eventually(lambda: look(meter).done == 20, 60, "all is done")
        eventually(lambda: len(look(meter).members) == 1, 60, "one has the partitions")
        with Member(worker):
            eventually(lambda: len(look(meter).members) == 2, 60, "two share the partitions")
        eventually(lambda: len(look(meter).members) == 1, 60, "one is left")
        write(5)
        eventually(lambda: look(meter).done == look(meter).written == 25)


def test_a_topic_that_is_missing_and_a_broker_that_is_away_are_no_answer(
    settings: AutoscalerSettings,
) -> None:
    with (
        KafkaMeter(settings, settings.worker_group, "nobody-made-this") as meter,
        pytest.raises(BrokerUnavailable, match="no topic nobody-made-this"),
    ):
        meter.sample()
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:9"})
    with meter_of(away) as meter, pytest.raises(BrokerUnavailable, match="says nothing"):
        meter.sample()


def test_skipped_frames_come_from_what_workers_report(settings: AutoscalerSettings) -> None:
    producer = Producer(
        {"bootstrap.servers": settings.kafka_bootstrap_servers, "enable.idempotence": True}
    )

    def report(service: str, **drops: int) -> None:
        now = datetime.now(UTC)
        said = StatusReport(
            service=service,
            instance="one",
            version="0",
            started_at=now,
            at=now,
            every_s=2,
            numbers=Numbers(interval_s=2, drops=drops),
        )
        producer.produce(settings.topic_status, said.to_json(), key=said.key)
        producer.produce(settings.topic_status, b"no report at all")
        assert producer.flush(10) == 0

    skips = Skips(settings, "worker")
    try:

        def counts() -> bool:
            report("worker", stale=1)
            return skips.count() > 0

        eventually(counts, what="reports from now on are read")
        eventually(lambda: skips.count() == skips.count())
        before = skips.count()
        report("worker", stale=7, undecodable=100)
        report("producer", stale=1_000)
        report("worker", stale=3)
        eventually(lambda: skips.count() >= before + 10)
        assert skips.count() < before + 100
    finally:
        skips.close()


def test_where_nobody_reports_nothing_is_skipped(settings: AutoscalerSettings) -> None:
    silent = settings.model_copy(update={"status_every_s": 0.0})
    assert Skips(silent, "worker").count() == 0
    missing = settings.model_copy(update={"topic_status": "nobody-made-this"})
    assert Skips(missing, "worker").count() == 0
