from __future__ import annotations

from datetime import timedelta

from tests.unit.viewer.pictures import START, mark, picture
from viewer.board import Board, Key
from viewer.pictures import Mark, Picture


def last_of(*frames: Picture) -> Picture:
    """The last of some frames, as the board has it after them."""
    board = Board(60)
    for frame in frames:
        assert board.show(frame)
    view = board.view(Key("camera", "hall"))
    assert view is not None
    assert view.picture is not None
    return view.picture


STRANGER = mark(x=100)


def test_a_place_stays_blurred_while_the_detector_misses_the_face_there() -> None:
    missed = last_of(picture(0, "hall", STRANGER), picture(1), picture(2))
    assert missed.strangers == [STRANGER.box]


def test_it_does_so_for_a_second_and_no_longer() -> None:
    for seq, boxes in ((25, [STRANGER.box]), (26, [])):
        frames = [picture(0, "hall", STRANGER), *(picture(at) for at in range(1, seq + 1))]
        assert last_of(*frames).strangers == boxes


def test_a_face_found_again_nearby_takes_the_place_of_its_shadow() -> None:
    moved = mark(x=110)
    frames = [picture(0, "hall", STRANGER), picture(1), picture(2, "hall", moved)]
    assert last_of(*frames).strangers == [moved.box]


def test_somebody_who_gets_a_name_is_seen_at_once() -> None:
    frames = [picture(0, "hall", STRANGER), picture(1, "hall", mark("sam", "Sam", x=104))]
    assert last_of(*frames).strangers == []


def test_beside_a_known_face_the_place_of_a_stranger_stays_blurred() -> None:
    frames = [picture(0, "hall", STRANGER), picture(1, "hall", mark("sam", "Sam", x=240))]
    assert last_of(*frames).strangers == [STRANGER.box]


def test_known_faces_leave_no_shadow() -> None:
    assert last_of(picture(0, "hall", mark("sam", "Sam")), picture(1)).strangers == []


def test_a_clock_that_was_set_back_and_another_size_end_all_shadows() -> None:
    back = picture(1, session="s2", at=START + timedelta(hours=-1))
    board = Board(60)
    board.show(picture(0, "hall", STRANGER))
    assert last_of(picture(0, "hall", STRANGER), picture(1)).shadows
    larger = picture(1)
    larger.size = (640, 360)
    assert not last_of(picture(0, "hall", STRANGER), larger).shadows
    assert not board.show(back)


def test_many_faces_are_compared_at_once() -> None:
    marks = [Mark((5.0 * at, 0, 4, 4), "", "", 0.0) for at in range(512)]
    found = last_of(picture(0, "hall", *marks), picture(1, "hall", *marks[:500]))
    assert len(found.strangers) == 512
