from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.viewer.pictures import START, Clock, mark, picture
from viewer.board import Board, Key, View, rate

HALL = Key("camera", "hall")
SAM = Key("person", "sam")


def board(clock: Clock) -> Board:
    return Board(2.0, 3_600, clock=clock, now=clock.now)


def shown(view: View | None) -> tuple[int, str]:
    assert view is not None
    assert view.picture is not None
    return view.picture.seq, view.picture.camera


def test_the_newest_frame_is_shown_and_an_older_one_never_after_it() -> None:
    here = board(Clock())
    assert here.show(picture(5)) == [HALL]
    assert here.show(picture(4)) == []
    assert here.show(picture(5)) == []
    assert here.show(picture(6)) == [HALL]
    assert shown(here.view(HALL)) == (6, "hall")


def test_a_late_frame_is_never_shown_not_even_first_or_after_a_silence() -> None:
    clock = Clock()
    here = board(clock)
    assert here.show(picture(9, late=True)) == []
    here.show(picture(10))
    clock.seconds += 10
    here.tick()
    assert here.show(picture(11, late=True)) == []
    assert shown(here.view(HALL)) == (10, "hall")


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_whatever_order_frames_come_in_a_screen_only_moves_forward(order: list[int]) -> None:
    here = board(Clock())
    seen = [shown(here.view(HALL))[0] for seq in order if here.show(picture(seq, jpeg=b""))]
    assert seen == sorted(set(seen))
    assert seen[-1] == max(order)


def test_a_producer_that_starts_again_is_shown_at_once_and_its_predecessor_no_more() -> None:
    here = board(Clock())
    here.show(picture(500))
    later = START + timedelta(minutes=1)
    assert here.show(picture(0, session="s2", at=later)) == [HALL]
    assert here.show(picture(501)) == []


def test_after_a_silence_a_replay_of_old_frames_is_shown() -> None:
    clock = Clock()
    here = board(clock)
    here.show(picture(500))
    clock.seconds += 3
    here.tick()
    assert here.show(picture(3)) == [HALL]


def test_a_camera_that_stops_is_stale_after_the_time_given_and_live_with_its_next_frame() -> None:
    clock = Clock()
    here = board(clock)
    here.show(picture(1))
    clock.seconds += 1.9
    assert here.tick() == []
    before = here.view(HALL)
    clock.seconds += 0.1
    assert here.tick() == [HALL]
    assert here.tick() == []
    stale = here.view(HALL)
    assert before is not None
    assert stale is not None
    assert stale.caption[0] == "no signal"
    assert stale.version != before.version
    assert here.cameras()[0].stale
    here.show(picture(2))
    live = here.view(HALL)
    assert live is not None
    assert live.caption == ()
    assert not here.cameras()[0].stale


def test_a_camera_not_seen_for_long_is_forgotten_with_its_picture() -> None:
    clock = Clock()
    here = board(clock)
    here.show(picture(1))
    clock.seconds += 3_601
    assert HALL in here.tick()
    assert here.view(HALL) is None
    assert here.cameras() == []


def test_a_person_is_shown_only_in_frames_that_have_them() -> None:
    here = board(Clock())
    assert here.show(picture(1, "hall", mark("sam", "Sam"))) == [HALL, SAM]
    assert here.show(picture(2, "hall", mark())) == [HALL]
    assert shown(here.view(SAM)) == (1, "hall")
    person = here.people()[0]
    assert (person.slug, person.name, person.camera) == ("sam", "Sam", "hall")


def test_a_person_in_two_pictures_stays_with_one_camera_until_it_loses_them() -> None:
    clock = Clock()
    here = board(clock)
    here.show(picture(1, "hall", mark("sam")))
    here.show(picture(1, "yard", mark("sam")))
    assert shown(here.view(SAM)) == (1, "hall")
    clock.seconds += 1.0
    here.show(picture(2, "yard", mark("sam")))
    assert shown(here.view(SAM)) == (2, "yard")


def test_a_person_enrolled_but_not_seen_is_waited_for() -> None:
    here = board(Clock())
    assert here.enrol([("sam", "Sam Smith")]) == [SAM]
    view = here.view(SAM)
    assert view is not None
    assert view.picture is None
    assert view.caption == ("waiting for Sam Smith",)
    assert here.people()[0].last_seen is None
    assert here.view(Key("person", "nobody")) is None


def test_where_no_list_of_people_is_known_anyone_may_still_come() -> None:
    view = board(Clock()).view(SAM)
    assert view is not None
    assert view.caption == ("waiting for sam",)


def test_an_erased_person_is_gone_at_once_and_does_not_come_back_with_frames_under_way() -> None:
    here = board(Clock())
    here.enrol([("sam", "Sam")])
    here.show(picture(1, "hall", mark("sam", "Sam")))
    assert here.enrol([]) == [SAM]
    assert here.people() == []
    assert here.view(SAM) is None
    assert here.show(picture(2, "hall", mark("sam", "Sam"))) == [HALL]
    assert here.people() == []


def test_a_person_of_another_identifier_is_shown_beside_the_list() -> None:
    here = board(Clock())
    here.enrol([("sam", "Sam")])
    here.show(picture(1, "hall", mark("kim", "Kim")))
    assert [person.slug for person in here.people()] == ["kim", "sam"]


def test_a_new_name_in_the_list_replaces_the_old_one() -> None:
    here = board(Clock())
    here.enrol([("sam", "Sam")])
    here.enrol([("sam", "Samantha")])
    here.show(picture(1, "hall", mark("sam", "Sam")))
    assert here.people()[0].name == "Samantha"


def test_frames_per_second_and_delay_follow_the_frames() -> None:
    clock = Clock()
    here = board(clock)
    for seq in range(51):
        clock.seconds = 1_000 + seq * 0.04
        here.show(picture(seq, at=clock.now() - timedelta(milliseconds=80)))
    state = here.cameras()[0]
    assert abs(state.fps - 25) < 0.1
    assert state.delay_ms == 80


def test_a_single_frame_has_no_rate() -> None:
    assert rate([5.0], 5.0) == 0.0
    assert rate([], 5.0) == 0.0


def test_of_many_people_those_seen_last_are_listed_and_everyone_is_found() -> None:
    here = board(Clock())
    here.enrol([(f"p{number:05}", f"Person {number:05}") for number in range(1_000)])
    here.show(picture(1, "hall", mark("p00900", "Person 00900")))
    listed = here.people()
    assert len(listed) == 200
    assert "p00900" in {person.slug for person in listed}
    last = here.person("p00999")
    assert last is not None
    assert last.name == "Person 00999"
    assert here.person("nobody") is None
