"""Names are decided per track: from the first frame on, and never by one frame alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identifier.tracks.identity import WaitLimits
from identifier.tracks.track import TrackRules
from tests.processed import embedding
from tests.unit.identifier.tracks.cameras import (
    Identities,
    Seen,
    frame,
    gallery,
    look,
)

ALICE, BOB = embedding(1), embedding(2)
STRANGER = embedding(3)
PEOPLE = {"Alice": ALICE, "Bob": BOB}


def alice(cosine: float = 0.7, seed: int = 10, x: float = 100) -> Seen:
    return Seen(look(ALICE, cosine, seed), x)


def bob(cosine: float = 0.7, seed: int = 20, x: float = 100) -> Seen:
    return Seen(look(BOB, cosine, seed), x)


def stranger(x: float = 100, seed: int = 30, size_px: float = 90) -> Seen:
    return Seen(look(STRANGER, 0.9, seed), x, size_px)


def test_every_frame_of_a_track_carries_the_name_from_the_first_one_on() -> None:
    identities = Identities(PEOPLE)
    assert identities.push(frame(0, [alice()])) == []
    assert identities.push(frame(1, [alice()])) == []
    released = identities.push(frame(2, [alice()]))
    assert [named.item for named in released] == [0, 1, 2]
    assert identities.names() == [["alice"]] * 3
    assert len({named.result.faces[0].track for named in released}) == 1
    assert [named.item for named in identities.push(frame(3, [alice()]))] == [3]


def test_a_frame_whose_own_match_failed_has_the_tracks_name_and_its_figures() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(frame(n, [alice(0.7)]) for n in range(4)))
    (named,) = identities.push(frame(4, [alice(0.35)]))
    (face,) = named.result.faces
    assert (face.person, face.name, face.reference) == ("alice", "Alice", "photo-Alice")
    assert face.similarity == pytest.approx(0.7, abs=0.01)
    assert face.threshold == pytest.approx(0.4)


def test_two_frames_do_not_name_anybody() -> None:
    identities = Identities(PEOPLE)
    faces = [[stranger()], [stranger()], [alice()], [alice()], [stranger(seed=31)]]
    identities.push(*(frame(n, seen) for n, seen in enumerate(faces)))
    identities.wait(10)
    assert identities.names() == [[""]] * 5


def test_one_confirming_frame_is_enough_where_the_user_says_so() -> None:
    identities = Identities(PEOPLE, TrackRules(confirm_frames=1))
    assert [named.item for named in identities.push(frame(0, [alice()]))] == [0]
    assert identities.names() == [["alice"]]


def test_a_tie_names_nobody() -> None:
    identities = Identities(PEOPLE)
    mixed = (ALICE + BOB) / ((ALICE + BOB) @ (ALICE + BOB)) ** 0.5
    towards = [mixed + 0.05 * (ALICE if n % 2 else BOB) for n in range(20)]
    faces = [Seen((one / (one @ one) ** 0.5).astype("float32")) for one in towards]
    identities.push(*(frame(n, [seen]) for n, seen in enumerate(faces)))
    identities.wait(10)
    assert {slug for (slug,) in identities.names()} == {""}


def test_a_wrong_name_is_corrected_later_in_the_track() -> None:
    identities = Identities(PEOPLE)
    mixed = (ALICE + BOB) / ((ALICE + BOB) @ (ALICE + BOB)) ** 0.5
    like_alice = mixed + 0.2 * ALICE
    like_bob = mixed + 0.2 * BOB
    for n in range(100):
        one = like_alice if n < 5 else like_bob
        identities.push(frame(n, [Seen((one / (one @ one) ** 0.5).astype("float32"))]))
    identities.wait(10)
    assert identities.names()[0] == ["alice"]
    assert identities.names()[-1] == ["bob"]
    (state,) = identities.states().values()
    assert state.frames == 100
    assert state.decision is not None
    assert state.decision.slug == "bob"


def test_after_a_cut_another_person_in_the_same_place_is_another_track() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(frame(n, [alice()]) for n in range(10)))
    identities.push(*(frame(n, [stranger()]) for n in range(10, 20)))
    identities.wait(10)
    assert identities.names() == [["alice"]] * 10 + [[""]] * 10
    assert len({named.result.faces[0].track for named in identities.out}) == 2


def test_who_moves_across_the_picture_or_looks_away_keeps_the_track() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(frame(n, [alice(x=5 * n, seed=n + 50)]) for n in range(20)))
    identities.push(*(frame(n) for n in range(20, 60)))
    identities.push(*(frame(n, [alice(x=400)]) for n in range(60, 62)))
    assert len({track for named in identities.out for track in named.tracks}) == 1
    assert identities.names()[-1] == ["alice"]


def test_a_person_is_at_most_one_face_of_a_frame() -> None:
    identities = Identities(PEOPLE)
    for n in range(30):
        # The second face gets Alice's name whenever the first one's own match fails.
        first = alice(0.8 if n % 3 else 0.38)
        identities.push(frame(n, [first, alice(0.45, seed=11, x=400)]))
    identities.wait(10)
    assert {tuple(names) for names in identities.names()} == {("alice", "")}


def test_pictures_are_each_by_themselves() -> None:
    identities = Identities(PEOPLE)
    pictures = [frame(n, [alice()], source="stored:images") for n in range(2)]
    released = identities.push(*pictures, frame(2, [stranger()], source="stored:images"))
    assert [named.item for named in released] == [0, 1, 2]
    assert identities.names() == [["alice"], ["alice"], [""]]
    states = identities.states().values()
    assert [(state.frames, state.ended, state.confirmed) for state in states] == [
        (1, True, True)
    ] * 3
    assert len({state.id for state in states}) == 3


def test_a_bare_jpeg_is_by_itself_and_does_not_end_the_tracks_of_its_camera() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(frame(n, [alice()]) for n in range(5)))
    (bare,) = identities.push(frame(77, [bob()], session="", source=""))
    assert [face.person for face in bare.result.faces] == ["bob"]
    identities.push(frame(5, [alice()]))
    assert identities.out[-1].tracks == identities.out[0].tracks


def test_a_late_frame_gets_the_tracks_name_and_changes_nothing() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(frame(n, [alice()]) for n in (0, 1, 2, 4, 5)))
    before = identities.states()
    (late,) = identities.push(frame(3, [alice(0.36), bob(x=400)]), late=True)
    assert [face.person for face in late.result.faces] == ["alice", "bob"]
    assert late.tracks == ()
    assert late.result.late
    assert identities.states() == {}
    assert next(iter(before.values())).frames == 5


def test_a_live_frame_waits_no_longer_than_it_is_told() -> None:
    identities = Identities(PEOPLE, limits=WaitLimits(live_s=0.25))
    identities.push(frame(0, [alice()]))
    assert identities.tracks.wait_s() == pytest.approx(0.25)
    assert identities.wait(0.2) == []
    (released,) = identities.wait(0.06)
    assert released.item == 0
    assert identities.names() == [[""]]
    assert identities.tracks.wait_s() is None


def test_a_frame_with_nobody_new_does_not_wait() -> None:
    identities = Identities(PEOPLE)
    assert len(identities.push(frame(0), frame(1))) == 2
    identities.push(*(frame(n, [stranger()]) for n in range(2, 20)))
    (released,) = identities.push(frame(20, [stranger()]))
    assert released.item == 20


def test_live_a_stranger_holds_nobody_up_and_in_a_file_every_face_is_waited_for() -> None:
    (released,) = Identities(PEOPLE).push(frame(0, [stranger()]))
    assert released.item == 0
    assert Identities(PEOPLE).push(frame(0, [stranger()], source="stored:file")) == []


def test_a_file_is_waited_for_while_a_later_frame_of_it_waits_for_a_dead_worker() -> None:
    identities = Identities(PEOPLE, limits=WaitLimits(stored_s=5))
    identities.push(frame(0, [alice()], source="stored:file"))
    for _ in range(4):
        assert identities.wait(9, coming=[(0, "door")]) == []
    assert not any(state.ended for state in identities.states().values())
    for number in (1, 2):
        identities.push(frame(number, [alice()], source="stored:file"))
    assert identities.names() == [["alice"]] * 3


def test_the_end_of_a_file_is_not_waited_for_for_ever() -> None:
    identities = Identities(PEOPLE, limits=WaitLimits(stored_s=5))
    identities.push(frame(0, [alice()], source="stored:file"))
    assert identities.wait(9.9) == []
    assert identities.tracks.wait_s() == pytest.approx(0.1)
    assert len(identities.wait(0.2)) == 1
    assert identities.names() == [[""]]


def test_a_stranger_who_once_looked_like_somebody_is_not_waited_for_for_ever() -> None:
    identities = Identities(PEOPLE)
    mixed = (STRANGER + ALICE) / ((STRANGER + ALICE) @ (STRANGER + ALICE)) ** 0.5
    alike = Seen(mixed.astype("float32"))
    identities.push(*(frame(n, [stranger()]) for n in range(10)))
    identities.push(frame(10, [alike]), *(frame(n, [stranger()]) for n in range(11, 60)))
    (released,) = identities.push(frame(60, [stranger()]))
    assert released.item == 60


def test_frames_leave_in_order_also_when_memory_is_short() -> None:
    identities = Identities(PEOPLE, limits=WaitLimits(max_frames=2))
    identities.push(*(frame(n, [stranger(x=n * 100, seed=100 + n)]) for n in range(6)))
    identities.push(*(frame(n) for n in range(6, 9)))
    identities.wait(10)
    assert [named.item for named in identities.out] == list(range(9))
    assert identities.tracks.held_frames == 0


def test_everything_held_can_be_let_go_when_somebody_else_takes_over() -> None:
    identities = Identities(PEOPLE)
    for camera in ("door", "yard"):
        identities.push(*(frame(n, [alice()], camera=camera) for n in range(2)))
    released = identities.tracks.let_go()
    assert [(n.frame.key.camera, n.item) for n in released] == [
        ("door", 0),
        ("door", 1),
        ("yard", 0),
        ("yard", 1),
    ]
    assert identities.tracks.held_frames == 0
    assert identities.tracks.let_go() == []


def test_cameras_do_not_wait_for_one_another() -> None:
    identities = Identities(PEOPLE)
    identities.push(frame(0, [alice()], camera="door"))
    (released,) = identities.push(frame(0, camera="yard"))
    assert released.frame.key.camera == "yard"


def test_who_is_erased_while_in_view_is_not_named_any_more() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(frame(n, [alice()]) for n in range(5)))
    identities.snapshot = gallery({"Bob": BOB}, version="2")
    (released,) = identities.push(frame(5, [alice()]))
    assert [face.person for face in released.result.faces] == [""]


def test_who_is_enrolled_while_in_view_is_named_soon() -> None:
    identities = Identities({"Bob": BOB})
    identities.push(*(frame(n, [alice()]) for n in range(200)))
    identities.snapshot = gallery(PEOPLE, version="2")
    identities.push(*(frame(n, [alice()]) for n in range(200, 204)))
    assert identities.names()[-1] == ["alice"]


def test_a_new_name_of_a_person_is_taken_at_once() -> None:
    identities = Identities({"Alice": ALICE})
    identities.push(*(frame(n, [alice()]) for n in range(5)))
    identities.snapshot = gallery({"ALICE": ALICE}, version="2")
    identities.push(frame(5, [alice(0.36)]))
    assert identities.out[-1].result.faces[0].name == "ALICE"


def test_an_unnamed_face_carries_the_number_the_memory_gave_its_track() -> None:
    numbers: dict[str, int] = {}
    identities = Identities(PEOPLE, unknowns=numbers)
    identities.push(*(frame(n, [stranger()]) for n in range(10)))
    numbers[identities.out[0].tracks[0]] = 7
    identities.push(frame(10, [stranger()]))
    assert identities.out[-1].result.faces[0].unknown == 7


def test_a_frame_of_other_models_begins_other_tracks() -> None:
    identities = Identities(PEOPLE)
    identities.push(*(frame(n, [alice()]) for n in range(5)))
    other = replace(
        alice(), embedding=embedding(5)[:128] / (embedding(5)[:128] @ embedding(5)[:128]) ** 0.5
    )
    identities.push(frame(5, [other], recogniser="6" * 64))
    identities.wait(10)
    assert identities.names()[-1] == [""]
    assert [state.ended for state in identities.states().values()] == [True]
