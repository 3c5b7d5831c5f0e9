"""What the memory is told of tracks, and what happens when frames are read again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identifier.identify import Frame
from identifier.tracks.track import TrackRules
from identifier.tracks.values import TrackState
from tests.processed import JPEG, embedding
from tests.unit.identifier.tracks.cameras import START, Identities, Seen, frame, look

ALICE, STRANGER = embedding(1), embedding(3)
PEOPLE = {"Alice": ALICE}


def alice_at(seq: int, **where: str) -> Frame:
    return frame(seq, [Seen(look(ALICE, 0.7, 10 + seq % 5))], **where)  # type: ignore[arg-type]


def stranger_at(seq: int, size_px: float = 90, x: float = 300) -> Frame:
    return frame(seq, [Seen(look(STRANGER, 0.9, 30 + seq % 5), x, size_px)])


def test_a_track_is_told_when_it_is_confirmed_and_about_once_a_second_after() -> None:
    identities = Identities(PEOPLE)
    told = []
    for n in range(100):
        identities.push(alice_at(n))
        told += [(n, state.frames) for state in identities.tracks.changes()]
    assert [n for n, _ in told] == pytest.approx([2, 28, 54, 80], abs=4)
    assert all(frames == n + 1 for n, frames in told)


def test_a_state_says_all_there_is_to_know() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(alice_at(n) for n in range(10)))
    (state,) = identities.states().values()
    assert (state.camera, state.session, state.first_seq, state.last_seq) == ("door", "s", 0, 9)
    assert (state.frames, state.confirmed, state.ended) == (10, True, False)
    assert state.unknown is None
    assert state.first_at == START
    assert (state.last_at - START).total_seconds() == pytest.approx(9 / 25)
    assert state.box_px == pytest.approx((100, 80, 90, 90))
    assert float(np.linalg.norm(state.embedding)) == pytest.approx(1, abs=1e-5)
    assert float(state.embedding @ ALICE) > 0.7
    assert state.models.name == "buffalo_s"
    assert state.decision is not None
    assert (state.decision.slug, state.decision.name) == ("alice", "Alice")
    assert state.decision.best_similarity == pytest.approx(0.7, abs=1e-3)
    assert state.decision.reference == "photo-Alice"
    assert state.decision.gallery_version == "1"
    assert state.best.jpeg == JPEG
    assert state.best.frame_size_px == (640, 360)
    assert state.best.raw_topic == "frames.raw"
    assert len(state.id) == 32
    assert "jpeg" not in repr(state)


def test_the_clearest_face_is_kept_as_the_best() -> None:
    identities = Identities(PEOPLE)
    sizes = [40, 60, 200, 60, 40]
    identities.push(*(stranger_at(n, size) for n, size in enumerate(sizes)))
    identities.wait(10)
    (state,) = identities.states().values()
    assert state.best.seq == 2


def test_a_track_ends_when_it_is_not_seen_for_long_in_capture_time() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(alice_at(n) for n in range(5)))
    identities.push(*(frame(n) for n in range(5, 50)), step_s=0)
    assert [state.ended for state in identities.states().values()] == [False]
    identities.push(*(frame(n) for n in range(50, 60)), step_s=0)
    assert [state.ended for state in identities.states().values()] == [True]


def test_a_track_ends_when_its_camera_falls_silent() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(alice_at(n) for n in range(5)))
    identities.wait(2.5)
    assert not any(state.ended for state in identities.states().values())
    identities.wait(1.0)
    assert [state.ended for state in identities.tracks.changes()] == [True]


def test_a_stall_on_the_way_does_not_make_two_tracks_of_one() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(alice_at(n) for n in range(5)))
    identities.wait(30)
    (ended,) = identities.states().values()
    identities.push(*(alice_at(n) for n in range(5, 10)))
    (again,) = identities.tracks.changes()
    assert (ended.ended, again.ended) == (True, False)
    assert (again.id, again.frames) == (ended.id, 10)


def test_a_new_session_ends_the_tracks_of_the_one_before() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(alice_at(n) for n in range(5)))
    identities.push(alice_at(5))
    released = identities.push(*(alice_at(n, session="t") for n in range(3)))
    assert [named.frame.key.session for named in released] == ["t"] * 3
    states = identities.states().values()
    assert [(s.session, s.ended) for s in states] == [("s", True), ("t", False)]


@pytest.mark.parametrize("frames", [1, 2])
def test_a_blink_is_not_remembered(frames: int) -> None:
    identities = Identities(PEOPLE)
    identities.push(*(stranger_at(n) for n in range(frames)))
    identities.wait(10)
    assert identities.states() == {}


def test_somebody_unknown_is_remembered_after_a_while_or_at_the_end() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(stranger_at(n) for n in range(20)))
    assert identities.states() == {}
    identities.push(*(stranger_at(n) for n in range(20, 30)))
    (state,) = identities.states().values()
    assert state.confirmed
    assert state.decision is None
    short = Identities(PEOPLE)
    short.push(*(stranger_at(n) for n in range(4)))
    short.wait(10)
    assert [s.confirmed for s in short.states().values()] == [True]


def test_somebody_unknown_who_was_never_seen_clearly_is_not_remembered() -> None:
    identities = Identities(PEOPLE, TrackRules(unknown_min_quality=0.35))
    tiny = [Seen(look(STRANGER, 0.9, 30), size_px=10, score=0.4, sharpness=3)]
    identities.push(*(frame(n, tiny) for n in range(50)))
    identities.wait(10)
    assert identities.states() == {}


def test_everything_released_is_in_the_states_given_out() -> None:
    identities = Identities(PEOPLE)
    newest: dict[str, TrackState] = {}
    for n in range(60):
        released = identities.push(alice_at(n))
        newest |= identities.states()
        for named in released:
            for track in named.tracks:
                assert newest[track].last_seq >= named.frame.key.seq


def test_frames_read_again_after_a_restart_are_not_counted_again() -> None:
    whole = Identities(PEOPLE)
    whole.push(*(alice_at(n) for n in range(30)))
    (expected,) = whole.states().values()

    before = Identities(PEOPLE)
    before.push(*(alice_at(n) for n in range(20)))
    stored = [replace(s, best=replace(s.best, jpeg=b"")) for s in before.states().values()]

    after = Identities(PEOPLE, remembered={"door": stored})
    after.push(*(alice_at(n) for n in range(12, 30)))
    (state,) = after.states().values()
    assert (state.id, state.first_seq, state.last_seq) == (expected.id, 0, 29)
    assert state.frames == expected.frames
    assert after.names() == [["alice"]] * 18
    assert state.first_at == expected.first_at


def test_frames_of_a_track_that_had_ended_before_the_restart_make_no_second_one() -> None:
    before = Identities(PEOPLE)
    before.push(*(alice_at(n) for n in range(20)))
    before.push(*(frame(n) for n in range(20, 80)))
    stored = list(before.states().values())
    assert stored[0].ended
    after = Identities(PEOPLE, remembered={"door": stored})
    after.push(*(alice_at(n) for n in range(10, 20)))
    after.push(*(frame(n) for n in range(20, 80)))
    assert {track for named in after.out for track in named.tracks} == {stored[0].id}
    assert all(
        (s.id, s.frames, s.ended) == (stored[0].id, 20, True) for s in after.states().values()
    )


def test_a_bare_jpeg_in_between_does_not_keep_a_track_from_going_on() -> None:
    before = Identities(PEOPLE)
    before.push(*(alice_at(n) for n in range(20)))
    before.push(frame(900, [Seen(look(ALICE, 0.7, 9))], session="", source="", at_s=2))
    after = Identities(PEOPLE, remembered={"door": list(before.states().values())})
    after.push(alice_at(20))
    assert [(s.frames, s.ended) for s in after.states().values()] == [(21, False)]


def test_tracks_of_another_session_are_ended_when_they_are_resumed() -> None:
    before = Identities(PEOPLE)
    before.push(*(alice_at(n) for n in range(20)))
    after = Identities(PEOPLE, remembered={"door": list(before.states().values())})
    after.push(alice_at(0, session="t"))
    assert [(s.session, s.ended) for s in after.states().values()] == [("s", True)]


def test_resumed_tracks_of_a_camera_that_stays_silent_end() -> None:
    before = Identities(PEOPLE)
    before.push(*(alice_at(n) for n in range(20)))
    after = Identities(PEOPLE)
    after.tracks.resume(before.states().values())
    after.wait(10)
    assert [state.ended for state in after.states().values()] == [True]


def test_a_partition_that_is_taken_away_is_forgotten_with_what_is_held() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(alice_at(n) for n in range(2)))
    identities.push(*(alice_at(n, camera="yard") for n in range(5)))
    identities.tracks.drop(0)
    assert identities.tracks.held_frames == 0
    assert identities.tracks.wait_s() is None
    assert identities.wait(10) == []
    assert identities.states() == {}


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=3),
        min_size=1,
        max_size=40,
    ),
    st.integers(1, 40),
)
@settings(max_examples=40, deadline=None)
def test_reading_the_same_frames_again_makes_the_same_tracks(
    scene: list[list[tuple[int, int]]], batch: int
) -> None:
    frames = [
        frame(
            n, [Seen(look(embedding(who), 0.75, 50 + place), 120 * place) for who, place in faces]
        )
        for n, faces in enumerate(scene)
    ]
    people = {"Alice": embedding(1), "Bob": embedding(2)}
    once, again = Identities(people), Identities(people)
    once.push(*frames)
    for start in range(0, len(frames), batch):
        again.push(*frames[start : start + batch], step_s=0.001)
        again.states()
    for identities in (once, again):
        identities.wait(10)
        assert [named.item for named in identities.out] == list(range(len(frames)))
    assert [n.tracks for n in once.out] == [n.tracks for n in again.out]
    one, other = once.states(), again.states()
    assert {k: v.decision for k, v in other.items()}.items() <= {
        k: v.decision for k, v in one.items()
    }.items()
    for named in once.out:
        names = [face.person for face in named.result.faces if face.person]
        assert len(names) == len(set(names))
        assert len(set(named.tracks)) == len(named.tracks)
