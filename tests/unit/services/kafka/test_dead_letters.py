"""The record of a dead letter."""

from __future__ import annotations

import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from services.errors import RecordError
from services.kafka.dead_letters import camera_hint, count_dead_letter, dead_letter
from services.lifecycle.metrics import REGISTRY
from services.records.frames import valid_camera_name

ERROR = RecordError("not-a-jpeg", "3 bytes that do not start as a JPEG")


def test_key_value_and_headers_stay_and_the_reason_comes_after_them() -> None:
    message = Message(
        topic="frames.raw", partition=4, offset=9, key=b"k", value=b"abc", headers=[("x", None)]
    )
    letter = dead_letter(message, ERROR)
    assert (letter.topic, letter.key, letter.value) == ("frames.raw.dlq", b"k", b"abc")
    assert letter.headers[0] == ("x", None)
    added = dict(letter.headers[1:])
    assert added["dlq-reason"] == b"not-a-jpeg"
    assert added["dlq-source"] == b"frames.raw/4/9"
    assert (added["dlq-at"] or b"").endswith(b"Z")


@given(
    key=st.none() | st.binary(max_size=100),
    pairs=st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=90)), max_size=4),
)
def test_any_record_can_be_a_dead_letter(
    key: bytes | None, pairs: list[tuple[str, str | bytes | None]]
) -> None:
    message = Message(topic="t", partition=0, offset=0, key=key, headers=pairs)
    assert list(dead_letter(message, ERROR).headers)[: len(pairs)] == pairs
    count_dead_letter(message, ERROR)


@pytest.mark.parametrize(
    ("key", "headers", "camera"),
    [
        (b"door/s/1", [], "door"),
        (b"other", [("camera", b"door")], "door"),
        (b"door", [("camera", b"\xff")], "unknown"),
        (None, [], "unknown"),
    ],
)
def test_it_is_counted_for_the_camera_it_claims(
    key: bytes | None, headers: list[tuple[str, str | bytes | None]], camera: str
) -> None:
    message = Message(topic="of-this-test", partition=0, offset=0, key=key, headers=headers)
    labels = {"topic": "of-this-test", "reason": "not-a-jpeg", "camera": camera}
    before = REGISTRY.get_sample_value("facestream_dead_letters_total", labels) or 0
    count_dead_letter(message, ERROR)
    assert REGISTRY.get_sample_value("facestream_dead_letters_total", labels) == before + 1


@given(st.binary(max_size=100))
def test_the_camera_of_any_key_is_a_label_that_metrics_can_bear(key: bytes) -> None:
    assert valid_camera_name(camera_hint(Message(topic="t", key=key)))
