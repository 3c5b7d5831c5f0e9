"""The gate that keeps files from overrunning what the broker retains."""

from __future__ import annotations

import threading
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.backlog import BacklogGate, Lag
from services.errors import BrokerError, BrokerUnavailable


class Topic:
    """A topic and its reader: what was sent, in order, and how much of it was read."""

    def __init__(self, reads_per_look: int = 0) -> None:
        self.unread: deque[int] = deque()
        self.reads_per_look = reads_per_look
        self.looks = 0
        self.most_bytes = 0

    def send(self, frame_bytes: int) -> None:
        self.unread.append(frame_bytes)
        self.most_bytes = max(self.most_bytes, sum(self.unread))

    def measure(self) -> Lag:
        self.looks += 1
        for _ in range(min(self.reads_per_look, len(self.unread))):
            self.unread.popleft()
        return Lag(len(self.unread), drained=not self.unread)


class Clock:
    def __init__(self, patience: int = 1_000_000) -> None:
        self.now_s = 0.0
        self.patience = patience

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> bool:
        self.now_s += seconds
        self.patience -= 1
        return self.patience < 0


def none_flying() -> int:
    return 0


@given(
    sizes=st.lists(st.integers(90, 110), min_size=1, max_size=300),
    reads_per_look=st.integers(1, 30),
    max_bytes=st.integers(200, 5_000),
)
def test_no_more_waits_to_be_read_than_allowed(
    sizes: list[int], reads_per_look: int, max_bytes: int
) -> None:
    topic, clock = Topic(reads_per_look), Clock()
    gate = BacklogGate(topic, max_bytes, clock.wait, clock)
    for size in sizes:
        assert gate.admit(size, none_flying)
        topic.send(size)
    # The mean stands for each frame's size, hence the fifth.
    assert topic.most_bytes <= max_bytes * 1.2


@given(sizes=st.lists(st.integers(1, 10_000), min_size=1, max_size=50))
def test_a_frame_larger_than_all_that_is_allowed_passes_alone(sizes: list[int]) -> None:
    topic, clock = Topic(reads_per_look=1), Clock()
    gate = BacklogGate(topic, 1, clock.wait, clock)
    for size in sizes:
        assert gate.admit(size, none_flying)
        assert not topic.unread
        topic.send(size)


def test_nothing_passes_while_nobody_reads() -> None:
    topic, clock = Topic(reads_per_look=0), Clock(patience=100)
    gate = BacklogGate(topic, 1_000, clock.wait, clock)
    sent = 0
    while gate.admit(100, none_flying):
        topic.send(100)
        sent += 1
    assert sent == 10


def test_an_unhindered_file_asks_the_broker_rarely() -> None:
    topic, clock = Topic(reads_per_look=1_000), Clock()
    gate = BacklogGate(topic, 100_000, clock.wait, clock)
    for _ in range(1_000):
        clock.now_s += 0.001
        gate.admit(1_000, none_flying)
        topic.send(1_000)
    assert topic.looks <= 11


def test_what_kafka_has_not_taken_yet_counts_too() -> None:
    topic, clock = Topic(reads_per_look=1_000), Clock(patience=10)
    gate = BacklogGate(topic, 1_000, clock.wait, clock)
    assert not gate.admit(100, lambda: 950)


def test_a_broker_that_is_away_is_waited_for() -> None:
    class Away(Topic):
        def measure(self) -> Lag:
            if self.looks < 5:
                self.looks += 1
                raise BrokerUnavailable("away")
            return super().measure()

    topic, clock = Away(), Clock()
    gate = BacklogGate(topic, 1_000, clock.wait, clock)
    assert gate.admit(100, none_flying)
    assert topic.looks == 6


def test_a_broker_that_refuses_ends_it() -> None:
    class Refusing(Topic):
        def measure(self) -> Lag:
            raise BrokerError("no")

    clock = Clock()
    with pytest.raises(BrokerError):
        BacklogGate(Refusing(), 1_000, clock.wait, clock).admit(100, none_flying)


def test_cameras_share_one_gate() -> None:
    topic = Topic(reads_per_look=3)
    gate = BacklogGate(topic, 1_000, lambda seconds: threading.Event().wait(seconds / 50))
    sending = threading.Lock()

    def camera() -> None:
        for _ in range(100):
            assert gate.admit(100, none_flying)
            with sending:
                topic.send(100)

    threads = [threading.Thread(target=camera) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    # Between the gate and the topic there may be one frame per thread.
    assert topic.most_bytes <= 1_000 + 4 * 100
