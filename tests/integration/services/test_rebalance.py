"""Members that join, leave, die and come back: every record comes out exactly once."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from tests.integration.services.conftest import Bench
from tests.member import Member, member_process, when_assigned
from tests.waiting import eventually

pytestmark = pytest.mark.kafka

VALUES = [b"value %d" % number for number in range(400)]
ONCE = Counter(VALUES)
SLOW = {"PAUSE_MS": "10", "KAFKA_SESSION_TIMEOUT_MS": "2000"}


def members_of(bench: Bench) -> int:
    """Members of the group, as the broker sees it."""
    group = f"{bench.prefix}group"
    admin = AdminClient({"bootstrap.servers": bench.bootstrap})
    described = admin.describe_consumer_groups([group])[group].result(20)
    return len(described.members)


@contextmanager
def copying(bench: Bench, **env: str) -> Iterator[Member]:
    """A member that is assigned partitions."""
    with Member(bench.settings(**SLOW | env)) as member:
        eventually(lambda: member.health.is_ready, 60, "the member is assigned")
        yield member


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_members_that_join_and_leave_while_records_flow_change_nothing(
    kafka_bench: Bench, protocol: str, delivery: str
) -> None:
    env = {"KAFKA_GROUP_PROTOCOL": protocol, "DELIVERY": delivery}
    kafka_bench.produce(VALUES)
    with copying(kafka_bench, **env) as first:
        with copying(kafka_bench, **env) as second:
            eventually(lambda: second.copy.settled_values.total() >= 20, 60, "the second works")
        with copying(kafka_bench, **env) as third:
            copied = kafka_bench.settle_at(400)
    assert [first.error, second.error, third.error] == [None, None, None]
    assert first.copy.settled_values.total() > 0
    if delivery == "exactly_once":
        assert copied == ONCE
    else:
        assert set(copied) == set(ONCE)
    assert kafka_bench.dead_letters() == []


def test_more_members_than_partitions_are_ready_and_idle(kafka_bench: Bench) -> None:
    with (
        copying(kafka_bench),
        copying(kafka_bench),
        copying(kafka_bench),
        copying(kafka_bench),
        copying(kafka_bench),
    ):
        kafka_bench.produce(VALUES)
        assert kafka_bench.settle_at(400) == ONCE


def test_a_member_killed_outright_and_another_in_its_place_lose_and_double_nothing(
    kafka_bench: Bench, tmp_path: Path
) -> None:
    kafka_bench.produce(VALUES)
    env = kafka_bench.env | SLOW
    with member_process(env, tmp_path / "first.log") as first:
        eventually(lambda: kafka_bench.output().total() >= 40, 60, "the first works")
        first.send(signal.SIGKILL)
        first.wait(60)
        assert kafka_bench.output().total() < 400
        with member_process(env, tmp_path / "second.log"):
            assert kafka_bench.settle_at(400, 90) == ONCE


def test_a_member_taken_for_dead_that_wakes_up_commits_nothing(
    kafka_bench: Bench, tmp_path: Path
) -> None:
    values = VALUES[:40]
    kafka_bench.produce(values)
    env = kafka_bench.env | SLOW
    with member_process(env | {"PAUSE_MS": "800"}, tmp_path / "sleeper.log") as sleeper:
        # So early in its batch that its client has noticed by the time it commits.
        eventually(lambda: sleeper.said("batch begins"), 60, "the sleeper works")
        sleeper.send(signal.SIGSTOP)
        with member_process(env, tmp_path / "heir.log"):
            assert kafka_bench.settle_at(40) == Counter(values)
            sleeper.send(signal.SIGCONT)
            eventually(lambda: sleeper.said("partitions lost"), 60, "the sleeper notices")
            assert kafka_bench.output() == Counter(values)
            assert sleeper.process.poll() is None
    assert sleeper.said("batch is read again")


def test_a_member_put_out_of_its_group_for_being_slow_commits_nothing(
    kafka_bench: Bench, tmp_path: Path
) -> None:
    values = VALUES[:40]
    kafka_bench.produce(values)
    env = kafka_bench.env | SLOW
    slow = {"PAUSE_MS": "800", "KAFKA_CONFIG__MAX_POLL_INTERVAL_MS": "2000"}
    with member_process(env | slow, tmp_path / "slow.log") as member:
        eventually(lambda: member.said("batch begins"), 60, "it works")
        with member_process(env, tmp_path / "heir.log"):
            assert kafka_bench.settle_at(40) == Counter(values)
            eventually(lambda: member.said("partitions lost"), 60, "it notices")
            assert kafka_bench.output() == Counter(values)
            assert member.process.poll() is None
    assert member.said("batch is read again")


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_sigterm_finishes_the_batch_leaves_the_group_and_exits_0(
    kafka_bench: Bench, tmp_path: Path, protocol: str
) -> None:
    kafka_bench.produce(VALUES)
    env = kafka_bench.env | SLOW | {"PAUSE_MS": "50", "KAFKA_GROUP_PROTOCOL": protocol}
    with member_process(env, tmp_path / "member.log") as member:
        eventually(lambda: kafka_bench.output().total() >= 16, 60, "it works")
        member.send(signal.SIGTERM)
        assert member.wait(60) == 0
        eventually(lambda: members_of(kafka_bench) == 0, 60, "the group is empty")
    so_far = kafka_bench.output().total()
    assert so_far % 8 == 0
    with copying(kafka_bench, PAUSE_MS="0", KAFKA_GROUP_PROTOCOL=protocol) as heir:
        assert kafka_bench.settle_at(400) == ONCE
    assert heir.copy.processed.total() == 400 - so_far


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_member_ends(kafka_bench: Bench, tmp_path: Path, number: signal.Signals) -> None:
    with member_process(kafka_bench.env, tmp_path / "member.log") as member:
        when_assigned(member)
        member.send(number)
        assert member.wait(60) == 0
    assert '"level": "error"' not in member.log.read_text()
