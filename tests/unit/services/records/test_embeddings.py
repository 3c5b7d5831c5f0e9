"""Embeddings as bytes."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import RecordError
from services.records import embeddings
from tests.refusals import tried


def unit(seed: int, dimensions: int) -> embeddings.Embedding:
    vector = np.random.default_rng(seed).standard_normal(dimensions).astype(np.float32)
    return vector / np.linalg.norm(vector)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 128, 512, 4096]))
def test_an_embedding_survives_to_the_bit(seed: int, dimensions: int) -> None:
    vector = unit(seed, dimensions)
    data = embeddings.to_bytes(vector)
    assert len(data) == 4 * dimensions
    back = embeddings.from_bytes(data)
    assert back.dtype == np.float32
    assert np.array_equal(back, vector)


def test_bytes_are_little_endian() -> None:
    assert embeddings.to_bytes(np.array([1, 0], ">f4").astype(np.float32)) == struct.pack(
        "<2f", 1, 0
    )


@given(st.binary(max_size=64))
def test_hostile_bytes_raise_nothing_but_record_errors(data: bytes) -> None:
    vector, reason = tried(lambda: embeddings.from_bytes(data))
    assert reason in {"", "bad-embedding"}
    if vector is not None:
        assert abs(float(np.linalg.norm(vector)) - 1) <= 0.011


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"123",
        bytes(4 * 512),
        struct.pack("<2f", 1, 1),
        struct.pack("<2f", float("nan"), 1),
        struct.pack("<2f", float("inf"), 0),
        struct.pack("<2f", 3e38, 3e38),
        struct.pack("<f", 1) + bytes(4 * 4096),
    ],
)
def test_what_is_not_finite_of_unit_length_and_sane_size_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError) as caught:
        embeddings.from_bytes(data)
    assert caught.value.reason == "bad-embedding"
