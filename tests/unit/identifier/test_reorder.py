"""Frames leave the window in order of capture, each once, and none waits too long."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from identifier.handover import decode, encode
from identifier.offsets import OffsetLedger, Ticket
from identifier.reorder import FrameKey, Limits, Reorderer
from identifier.sequence import Order, Released

START = datetime(2026, 1, 1, tzinfo=UTC)
PARTITIONS = 4
LIVE_S, STORED_S = 0.25, 30.0


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def raw_partition(camera: str, session: str, seq: int) -> int:
    return zlib.crc32(f"{camera}/{session}/{seq}".encode()) % PARTITIONS


def key(
    seq: int,
    *,
    camera: str = "door",
    session: str = "a",
    live: bool = False,
    partition: int | None = None,
    captured_s: float | None = None,
) -> FrameKey:
    return FrameKey(
        camera=camera,
        session=session,
        seq=seq,
        live=live,
        captured_at=START + timedelta(seconds=seq if captured_s is None else captured_s),
        raw_topic="frames.raw",
        raw_partition=raw_partition(camera, session, seq) if partition is None else partition,
        raw_offset=seq,
    )


@dataclass
class Window:
    """A window whose clock the test moves; items are the numbers of the frames."""

    clock: Clock = field(default_factory=Clock)
    max_bytes: int = 10**9
    partitions: int | None = PARTITIONS

    def __post_init__(self) -> None:
        self.reorderer: Reorderer[int] = Reorderer(
            Limits(LIVE_S, STORED_S, self.max_bytes), self._partitions_of, self.clock
        )

    def _partitions_of(self, topic: str) -> int | None:
        assert topic == "frames.raw"
        return self.partitions

    def push(self, frame: FrameKey, size_bytes: int = 100, lane: int = 0) -> list[Released[int]]:
        return self.reorderer.push(lane, frame, frame.seq, size_bytes)

    def due(self) -> list[Released[int]]:
        return self.reorderer.due()


def numbers(released: list[Released[int]]) -> list[int]:
    return [frame.item for frame in released]


def test_frames_that_come_in_order_are_released_at_once() -> None:
    window = Window()
    assert [numbers(window.push(key(seq))) for seq in range(4)] == [[0], [1], [2], [3]]
    assert window.reorderer.wait_s() is None


def test_a_frame_waits_for_the_one_before_it() -> None:
    window = Window()
    assert window.push(key(1)) == []
    assert numbers(window.push(key(0))) == [0, 1]


def test_it_tells_which_cameras_have_a_frame_that_waits() -> None:
    window = Window()
    window.push(key(0), lane=2)
    window.push(key(1), lane=3)
    assert window.reorderer.waiting() == [(3, "door")]
    window.push(key(0), lane=3)
    assert window.reorderer.waiting() == []


def test_a_gap_of_a_live_camera_is_given_up_after_its_window() -> None:
    window = Window(partitions=None)
    window.push(key(0, live=True))
    assert window.push(key(2, live=True)) == []
    window.clock.now_s += LIVE_S - 0.01
    assert window.due() == []
    assert window.reorderer.wait_s() is not None
    window.clock.now_s += 0.02
    assert numbers(window.due()) == [2]


def test_a_file_waits_much_longer() -> None:
    window = Window(partitions=None)
    window.push(key(0))
    window.push(key(2))
    window.clock.now_s += STORED_S - 1
    assert window.due() == []
    window.clock.now_s += 2
    assert numbers(window.due()) == [2]


def test_a_dead_lettered_frame_of_a_file_costs_no_wait_once_its_partition_went_on() -> None:
    window = Window()
    released: list[int] = []
    for seq in range(60):
        if seq != 5:
            released += numbers(window.push(key(seq)))
    assert released == [seq for seq in range(60) if seq != 5]
    assert window.reorderer.held_bytes == 0


def test_no_frame_waits_longer_than_the_window_however_many_gaps_there_are() -> None:
    window = Window(partitions=None)
    for seq in (2, 5, 9):
        window.push(key(seq, live=True))
        window.clock.now_s += 0.1
    assert numbers(window.due()) == [2]
    window.clock.now_s += 0.1
    assert numbers(window.due()) == [5]


def test_a_late_frame_is_released_and_marked() -> None:
    window = Window(partitions=None)
    window.push(key(0, live=True))
    window.push(key(2, live=True))
    window.clock.now_s += 1
    window.due()
    (late,) = window.push(key(1, live=True))
    assert (late.item, late.order) == (1, Order.LATE)
    (again,) = window.push(key(1, live=True))
    assert again.order is Order.DUPLICATE


def test_a_frame_that_is_delivered_twice_is_a_duplicate_held_or_not() -> None:
    window = Window()
    window.push(key(0))
    window.push(key(2))
    assert [frame.order for frame in window.push(key(0))] == [Order.DUPLICATE]
    assert [frame.order for frame in window.push(key(2))] == [Order.DUPLICATE]
    assert numbers(window.push(key(1))) == [1, 2]


def test_joined_midway_the_window_passes_and_then_frames_flow() -> None:
    window = Window(partitions=None)
    assert window.push(key(1000, live=True)) == []
    window.clock.now_s += LIVE_S
    assert numbers(window.due()) == [1000]
    assert numbers(window.push(key(1001, live=True))) == [1001]


def test_a_new_session_flushes_the_one_before_it() -> None:
    window = Window()
    window.push(key(0, session="a"))
    window.push(key(2, session="a"))
    released = window.push(key(0, session="b"))
    assert numbers(released) == [2, 0]
    (straggler,) = window.push(key(1, session="a"))
    assert straggler.order is Order.LATE


def test_sessions_that_came_the_wrong_way_round_recover_when_the_wrong_one_falls_silent() -> None:
    window = Window()
    window.push(key(0, session="new"))
    window.push(key(0, session="old"))  # joined midway: the old one's last frame comes after
    (frame,) = window.push(key(1, session="new"))
    assert frame.order is Order.LATE
    window.clock.now_s += 2
    (frame,) = window.push(key(2, session="new"))
    assert frame.order is Order.IN_ORDER


def test_cameras_do_not_wait_for_each_other() -> None:
    window = Window()
    window.push(key(5, camera="yard"))
    assert numbers(window.push(key(0, camera="door"))) == [0]


def test_memory_is_bounded_by_letting_the_largest_camera_go_early() -> None:
    window = Window(partitions=None, max_bytes=1_000)
    for seq in range(1, 11):
        assert window.push(key(seq), size_bytes=100) == []
    assert numbers(window.push(key(11), size_bytes=100)) == list(range(1, 12))
    assert window.reorderer.overflows == 11
    assert window.reorderer.held_bytes == 0


def test_a_partition_that_is_taken_away_takes_its_frames_along() -> None:
    window = Window()
    window.push(key(3), lane=7)
    window.reorderer.drop(7)
    assert window.reorderer.held_bytes == 0
    assert window.reorderer.wait_s() is None
    assert numbers(window.push(key(0), lane=7)) == [0]


def test_the_next_owner_goes_on_where_the_last_one_ended_and_repeats_are_late() -> None:
    last, following = Window(partitions=None), Window(partitions=None)
    for seq in (0, 1, 2, 4):
        last.push(key(seq, session="0123456789abc"), lane=3)
    last.push(key(0, camera="yard", session="fedcba9876543"), lane=3)
    metadata = encode(last.reorderer.marks(3))
    following.reorderer.resume(3, decode(metadata))
    assert numbers(following.push(key(3, session="0123456789abc"), lane=3)) == [3]
    (again,) = following.push(key(2, session="0123456789abc"), lane=3)
    assert again.order is Order.LATE
    assert numbers(following.push(key(1, camera="yard", session="fedcba9876543"), lane=3)) == [1]
    assert numbers(following.push(key(0, session="another"), lane=3)) == [0]


def test_a_word_of_many_cameras_fits_and_a_strange_one_is_ignored() -> None:
    many = [(f"camera-{n}" * 5, f"{n:036}", n) for n in range(1000)]
    metadata = encode(many)
    assert len(metadata) < 4_096
    assert list(decode(metadata)) == [camera for camera, _, _ in many][: len(decode(metadata))]
    assert encode([]) == ""
    for strange in (None, "", "{}", "facestream1:", "facestream1:[]", 'facestream1:{"a":[1]}'):
        assert decode(strange) == {}


def test_bare_jpegs_pass_as_they_come_and_a_repeated_one_is_a_duplicate() -> None:
    window = Window()
    first = window.push(key(40, session="", partition=0))
    other_partition = window.push(key(40, session="", partition=1))
    assert [frame.order for frame in first + other_partition] == [Order.IN_ORDER] * 2
    (again,) = window.push(key(40, session="", partition=0))
    assert again.order is Order.DUPLICATE
    (earlier,) = window.push(key(41, session="", partition=1, captured_s=3))
    assert earlier.order is Order.LATE


def test_a_number_far_ahead_holds_nothing_up_for_longer_than_the_window() -> None:
    window = Window(partitions=None)
    window.push(key(0, live=True))
    window.push(key(2**62, live=True, captured_s=1))
    assert numbers(window.push(key(1, live=True))) == [1]
    window.clock.now_s += 1
    assert numbers(window.due()) == [2**62]
    assert window.push(key(2, live=True))[0].order is Order.LATE


@settings(max_examples=200)
@given(
    frames=st.integers(1, 80),
    lost=st.sets(st.integers(0, 79)),
    repeats=st.integers(0, 10),
    data=st.data(),
)
def test_any_interleaving_of_raw_partitions_comes_out_in_order_each_once_and_commits_safely(
    frames: int, lost: set[int], repeats: int, data: st.DataObject
) -> None:
    queues = [
        [s for s in range(frames) if raw_partition("door", "a", s) == p and s not in lost]
        for p in range(PARTITIONS)
    ]
    for _ in range(repeats):  # at least once: a stretch of a partition is delivered again
        queue = data.draw(st.sampled_from(queues))
        if queue:
            end = data.draw(st.integers(1, len(queue)))
            start = data.draw(st.integers(0, end - 1))
            queue[end:end] = queue[start:end]
    window, ledger = Window(), OffsetLedger()
    tickets: dict[int, list[Ticket]] = {}
    released: list[Released[int]] = []
    offset_of: list[int] = []

    def settle(frames_out: list[Released[int]]) -> None:
        for frame in frames_out:
            ledger.done(tickets[frame.item].pop(-1 if frame.order is Order.DUPLICATE else 0))
        released.extend(frames_out)

    while waiting := [p for p, queue in enumerate(queues) if queue]:
        partition = data.draw(st.sampled_from(waiting))
        seq = queues[partition].pop(0)
        tickets.setdefault(seq, []).append(ledger.take(0, len(offset_of)))
        offset_of.append(seq)
        settle(window.push(key(seq)))
        position = ledger.positions()[0]
        out = {frame.item for frame in released}
        assert all(seq in out for seq in offset_of[:position])
    window.clock.now_s += STORED_S + 1
    settle(window.due())

    unique = [frame.item for frame in released if frame.order is not Order.DUPLICATE]
    assert unique == [seq for seq in range(frames) if seq not in lost]
    assert all(frame.order is not Order.LATE for frame in released)
    assert len(released) == len(offset_of)
    assert ledger.positions().get(0, 0) == len(offset_of)
    assert window.reorderer.held_bytes == 0
