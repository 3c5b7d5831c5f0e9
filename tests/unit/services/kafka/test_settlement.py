"""A library's call that never returns holds up nobody for long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from services.errors import BrokerError
from services.kafka import settlement
from services.kafka.batches import Progress
from services.kafka.settlement import ExactlyOnce, NotSettledError
from services.lifecycle.stopping import StopSignal

NOTHING = Progress([], b"")


class Stuck:
    """A producer as librdkafka's is after its coordinator went: one call never returns."""

    def __init__(self, call: str) -> None:
        self.over = threading.Event()
        self.called = threading.Event()
        self.call = call
        setattr(self, call, self.never_return)

    def init_transactions(self, timeout_s: float) -> None:
        """Return at once."""

    def begin_transaction(self) -> None:
        """Return at once."""

    def send_offsets_to_transaction(self, *_: Any) -> None:
        """Return at once."""

    def never_return(self, *_: Any) -> None:
        """Forget the time."""
        self.called.set()
        self.over.wait()


@pytest.fixture(params=["begin_transaction", "send_offsets_to_transaction"])
def stuck(request: pytest.FixtureRequest) -> Iterator[Stuck]:
    producer = Stuck(request.param)
    yield producer
    producer.over.set()


def test_a_call_that_never_returns_ends_the_process(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "_HUNG_S", 0.3)
    exactly_once = ExactlyOnce(cast(Producer, stuck))
    exactly_once.start(StopSignal())
    with pytest.raises(BrokerError, match="does not return"):
        exactly_once.settle([], NOTHING)


def test_who_is_told_to_stop_does_not_wait_for_it(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "_HUNG_ONCE_STOPPED_S", 0.3)
    stop = StopSignal()
    exactly_once = ExactlyOnce(cast(Producer, stuck))
    exactly_once.start(stop)

    def stop_then() -> None:
        stuck.called.wait()
        stop.stop()

    threading.Thread(target=stop_then, daemon=True).start()
    with pytest.raises(NotSettledError):
        exactly_once.settle([], NOTHING)


def test_what_the_library_says_is_heard(stuck: Stuck, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise KafkaException(KafkaError(KafkaError._FENCED, fatal=True))

    monkeypatch.setattr(stuck, stuck.call, refuse)
    exactly_once = ExactlyOnce(cast(Producer, stuck))
    exactly_once.start(StopSignal())
    with pytest.raises(BrokerError, match="cannot go on"):
        exactly_once.settle([], NOTHING)


def test_any_other_error_of_a_call_is_one_of_the_batch_too(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("Handle has been closed")

    monkeypatch.setattr(stuck, stuck.call, fail)
    exactly_once = ExactlyOnce(cast(Producer, stuck))
    exactly_once.start(StopSignal())
    with pytest.raises(RuntimeError, match="closed"):
        exactly_once.settle([], NOTHING)
