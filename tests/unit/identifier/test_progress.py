"""A missing frame is given up only when its raw partition has gone past it."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from identifier.progress import RawProgress

CAMERA, SESSION = "door", "9b1d"


def partition_of(seq: int, partitions: int) -> int:
    return zlib.crc32(f"{CAMERA}/{SESSION}/{seq}".encode()) % partitions


@given(
    partitions=st.integers(1, 12),
    frames=st.integers(2, 60),
    lost=st.sets(st.integers(0, 59)),
    data=st.data(),
)
def test_a_frame_that_is_still_to_come_is_never_given_up(
    partitions: int, frames: int, lost: set[int], data: st.DataObject
) -> None:
    queues = [
        [s for s in range(frames) if partition_of(s, partitions) == p and s not in lost]
        for p in range(partitions)
    ]
    progress = RawProgress(CAMERA, SESSION, partitions)
    while waiting := [p for p, queue in enumerate(queues) if queue]:
        partition = data.draw(st.sampled_from(waiting))
        progress.saw(queues[partition].pop(0), partition)
        to_come = [seq for queue in queues for seq in queue]
        assert not any(progress.passed(seq, seq) for seq in to_come)


def test_a_lost_frame_is_given_up_once_its_own_partition_has_gone_past_it() -> None:
    partitions = 6
    progress = RawProgress(CAMERA, SESSION, partitions)
    own = partition_of(0, partitions)
    others = [s for s in range(1, 30) if partition_of(s, partitions) != own]
    for seq in others:
        progress.saw(seq, partition_of(seq, partitions))
    assert not progress.passed(0, 0)
    later = next(s for s in range(1, 100) if partition_of(s, partitions) == own)
    progress.saw(later, own)
    assert progress.passed(0, 0)


def test_a_producer_that_spreads_by_camera_needs_its_one_partition_only() -> None:
    partitions = 6
    progress = RawProgress(CAMERA, SESSION, partitions)
    only = zlib.crc32(CAMERA.encode()) % partitions
    for seq in range(20):
        if seq != 7:
            progress.saw(seq, only)
    assert progress.passed(7, 7)


def test_an_unknown_way_of_spreading_asks_every_partition() -> None:
    progress = RawProgress(CAMERA, SESSION, 3)
    for seq in range(1, 60, 2):
        progress.saw(seq, seq // 2 % 2)
    assert not progress.passed(0, 0)
    progress.saw(61, 2)
    assert progress.passed(0, 0)
    assert not progress.passed(60, 60)


def test_nothing_is_certain_while_the_number_of_partitions_is_unknown_or_has_grown() -> None:
    unknown = RawProgress(CAMERA, SESSION, None)
    grown = RawProgress(CAMERA, SESSION, 1)
    for seq in range(1, 50):
        unknown.saw(seq, 0)
        grown.saw(seq, seq % 2)
    assert not unknown.passed(0, 0)
    assert not grown.passed(0, 0)


def test_a_long_gap_asks_every_partition() -> None:
    progress = RawProgress(CAMERA, SESSION, 2)
    late = range(10**12, 10**12 + 50)
    for seq in late:
        progress.saw(seq, partition_of(seq, 2))
    assert progress.passed(0, 10**12 - 1)
