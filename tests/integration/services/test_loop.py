"""The consume-process-produce loop in one member: what fails how, on real and in-memory Kafka."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient

from services.errors import BrokerError, RecordError
from services.kafka.topics import dlq_topic, ensure_topics
from services.records.headers import pairs, read_headers
from tests.integration.services.conftest import Bench
from tests.member import Member
from tests.rawclient import send_with_header
from tests.waiting import eventually

GOOD = [b"good %d" % number for number in range(50)]
ONCE = Counter(GOOD)


def reasons(letters: list[Message]) -> Counter[str]:
    return Counter((dict(pairs(letter))["dlq-reason"] or b"").decode() for letter in letters)


def test_every_record_comes_out_once_and_the_group_has_read_them_all(bench: Bench) -> None:
    bench.produce(GOOD)
    with Member(bench.settings()) as member:
        assert bench.settle_at(50) == ONCE
    assert member.error is None
    with Member(bench.settings()) as again:
        bench.produce([b"one more"])
        bench.settle_at(51)
    assert again.copy.processed == Counter([b"one more"])


def test_a_failing_batch_costs_only_its_bad_record(bench: Bench) -> None:
    bench.produce([*GOOD[:25], b"raise it", *GOOD[25:]], key=b"one partition")
    with Member(bench.settings(BATCH_MAX="64")) as member:
        assert bench.settle_at(50) == ONCE
    assert member.error is None
    letters = bench.dead_letters()
    assert [letter.value() for letter in letters] == [b"raise it"]
    assert reasons(letters) == {"processing-failed": 1}


def test_a_dead_letter_is_the_whole_record_and_says_why_whence_and_when(bench: Bench) -> None:
    before = datetime.now(UTC)
    bench.produce([b"reject me"], key=b"the key")
    with Member(bench.settings()):
        eventually(lambda: len(bench.dead_letters()) == 1, 60, "a dead letter")
    letter = bench.dead_letters()[0]
    original = bench.messages("in")[0]
    assert letter.value() == b"reject me"
    assert letter.key() == b"the key"
    sent = pairs(letter)
    assert sent[:2] == [("n", b"0"), ("null", None)]
    added = dict(sent[2:])
    assert added["dlq-reason"] == b"rejected"
    assert added["dlq-detail"] == b"the record says so"
    source = f"{original.topic()}/{original.partition()}/{original.offset()}"
    assert added["dlq-source"] == source.encode()
    at = datetime.fromisoformat((added["dlq-at"] or b"").decode())
    assert before <= at <= datetime.now(UTC)


def test_a_tombstone_can_be_a_dead_letter(bench: Bench) -> None:
    bench.produce([b"raise", None, b"good"], key=b"k")
    with Member(bench.settings()):
        assert bench.settle_at(2) == Counter([b"", b"good"])


def test_a_retriable_failure_is_tried_again_and_nothing_is_lost_or_doubled(bench: Bench) -> None:
    bench.produce([*GOOD[:25], b"later", *GOOD[25:]])
    with Member(bench.settings()) as member:
        assert bench.settle_at(51) == ONCE + Counter([b"later"])
    assert member.copy.processed[b"later"] == 2
    assert member.copy.settled_values == ONCE + Counter([b"later"])
    assert bench.dead_letters() == []


def test_an_output_larger_than_a_topic_takes_makes_a_dead_letter(bench: Bench) -> None:
    bench.produce([b"good 0", b"big", b"good 1"], key=b"k")
    with Member(bench.settings(BATCH_MAX="3", BATCH_WAIT_MS="500")) as member:
        assert bench.settle_at(2) == Counter([b"good 0", b"good 1"])
        eventually(lambda: len(bench.dead_letters()) == 1, 60, "a dead letter")
    assert member.error is None
    assert reasons(bench.dead_letters()) == {"too-large": 1}


@pytest.mark.kafka
@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_an_output_that_the_broker_refuses_makes_a_dead_letter(
    kafka_bench: Bench, delivery: str
) -> None:
    small = f"{kafka_bench.prefix}small"
    make_small(kafka_bench, small)
    kafka_bench.produce([*GOOD[:10], b"small", *GOOD[10:20]], key=b"k")
    env = {"SMALL_TOPIC": small, "DELIVERY": delivery, "BATCH_MAX": "32", "BATCH_WAIT_MS": "300"}
    with Member(kafka_bench.settings(**env)) as member:
        eventually(lambda: len(kafka_bench.dead_letters()) == 1, 60, "a dead letter")
        copied = kafka_bench.settle_at(20)
    assert member.error is None
    assert reasons(kafka_bench.dead_letters()) == {"too-large": 1}
    assert set(copied) - {b"small"} == set(GOOD[:20])
    if delivery == "exactly_once":
        assert copied == Counter(GOOD[:20])


@pytest.mark.kafka
def test_a_dead_letter_that_the_broker_refuses_ends_the_process(kafka_bench: Bench) -> None:
    admin = AdminClient({"bootstrap.servers": kafka_bench.bootstrap})
    for future in admin.delete_topics([f"{kafka_bench.prefix}in.dlq"]).values():
        future.result(30)
    make_small(kafka_bench, f"{kafka_bench.prefix}in.dlq")
    kafka_bench.produce([b"reject " + bytes(100_000)])
    with Member(kafka_bench.settings()) as member:
        eventually(lambda: member.ended, 60, "the member ends")
    assert isinstance(member.error, BrokerError)
    assert "dead letter" in str(member.error)


def make_small(bench: Bench, topic: str) -> None:
    """A topic made by somebody else, for records of 50 kB."""
    from confluent_kafka.cimpl import NewTopic

    admin = AdminClient({"bootstrap.servers": bench.bootstrap})
    made = NewTopic(topic, num_partitions=1, config={"max.message.bytes": "50000"})

    def create() -> bool:
        from confluent_kafka import KafkaException

        try:
            admin.create_topics([made])[topic].result(30)
        except KafkaException:
            return False  # the one of that name is still being deleted
        return True

    eventually(create, 60, f"{topic} is made")


def test_at_least_once_copies_everything_too(bench: Bench) -> None:
    bench.produce([*GOOD, b"raise"])
    with Member(bench.settings(DELIVERY="at_least_once")) as member:
        assert set(bench.settle_at(50)) == set(GOOD)
        eventually(lambda: len(bench.dead_letters()) == 1, 60, "a dead letter")
    assert member.error is None
    with Member(bench.settings(DELIVERY="at_least_once")) as again:
        bench.produce([b"one more"])
        eventually(lambda: again.copy.settled_values[b"one more"] == 1, 60, "one more")
    assert again.copy.processed == Counter([b"one more"])


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_a_record_of_four_megabytes_passes(bench: Bench, delivery: str) -> None:
    large = bytes(4 * 1024 * 1024)
    bench.produce([large])
    with Member(bench.settings(DELIVERY=delivery)) as member:
        assert bench.settle_at(1) == Counter([large])
    assert member.error is None


@pytest.mark.kafka
def test_records_of_the_largest_size_are_batched_and_pass(kafka_bench: Bench) -> None:
    large = [bytes([number]) * 8_388_608 for number in range(12)]
    kafka_bench.produce(large, key=b"k")
    with Member(kafka_bench.settings()) as member:
        assert kafka_bench.settle_at(12) == Counter(large)
    assert member.error is None


@pytest.mark.kafka
def test_a_second_process_of_the_same_transactional_id_fences_the_first(
    kafka_bench: Bench,
) -> None:
    name = f"{kafka_bench.prefix}me"
    kafka_bench.produce(GOOD[:10])
    with Member(kafka_bench.settings(TRANSACTIONAL_ID=name, PAUSE_MS="20")) as first:
        kafka_bench.settle_at(10)
        with Member(kafka_bench.settings(TRANSACTIONAL_ID=name, PAUSE_MS="20")) as second:
            eventually(lambda: second.health.is_ready, 60, "the second is assigned")
            kafka_bench.produce(GOOD[10:])
            assert kafka_bench.settle_at(50) == ONCE
            eventually(lambda: first.ended, 60, "the first ends")
    assert isinstance(first.error, BrokerError)
    assert second.error is None


@pytest.mark.parametrize("wait_ms", ["20", "10000"])
def test_a_wish_to_stop_is_heard_before_a_batch_is_full(bench: Bench, wait_ms: str) -> None:
    with Member(bench.settings(BATCH_WAIT_MS=wait_ms)) as member:
        eventually(lambda: member.health.is_ready, 60, "the member is assigned")
        bench.produce([b"good"])
        time.sleep(0.3)  # it may or may not have begun to wait for the batch to fill
        started = time.monotonic()
        member.stop()
        assert time.monotonic() - started < 8
    assert member.error is None


def test_a_lone_record_waits_no_longer_than_the_batch_may(bench: Bench) -> None:
    with Member(bench.settings(BATCH_WAIT_MS="50", BATCH_MAX="256")) as member:
        eventually(lambda: member.health.is_ready, 60, "the member is assigned")
        bench.produce([b"warm up"])
        eventually(lambda: member.copy.settled_values[b"warm up"] == 1, 60, "warm")
        taken: list[float] = []
        for number in range(5):
            value = b"lone %d" % number
            started = time.monotonic()
            bench.produce([value])
            eventually(lambda value=value: member.copy.processed[value] == 1, 60, "processed")  # type: ignore[misc]
            taken.append(time.monotonic() - started)
    assert min(taken) < 1


@pytest.mark.kafka
def test_the_dead_letter_topic_is_made_with_the_others(kafka_bench: Bench) -> None:
    settings = kafka_bench.settings()
    assert ensure_topics(settings, [settings.input_topic, dlq_topic(settings.input_topic)]) == []


def test_a_header_name_that_is_not_text_makes_a_dead_letter_and_no_crash(bench: Bench) -> None:
    bench.produce(GOOD)
    for message in bench.messages("in"):
        assert read_headers(message)["n"]  # often enough for Python to specialise the call
    send_with_header(bench.bootstrap, f"{bench.prefix}in", b"reject this", b"\xff\xfe")
    send_with_header(bench.bootstrap, f"{bench.prefix}in", b"raise this", b"\xff\xfe")
    with Member(bench.settings()) as member:
        assert bench.settle_at(50) == ONCE
        eventually(lambda: len(bench.dead_letters()) == 2, 60, "dead letters")
    assert member.error is None
    for letter in bench.dead_letters():
        assert pairs(letter)[0][0] == "unreadable-headers"
        with pytest.raises(RecordError, match="not UTF-8"):
            read_headers(letter)
