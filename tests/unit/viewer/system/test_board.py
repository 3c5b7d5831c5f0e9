"""What is remembered of the services, and for how long."""

from __future__ import annotations

from datetime import timedelta

from tests.unit.viewer.system.reports import NOW, Clock, report
from viewer.system.board import MOST_INSTANCES, StatusBoard


def states(board: StatusBoard) -> dict[str, str]:
    return {heard.report.instance: heard.state for heard in board.instances()}


def test_an_instance_is_there_as_it_last_said() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    board.add(report(clock.now, ready=False))
    assert states(board) == {"box-1": "waiting"}
    board.add(report(clock.forward(2)))
    assert states(board) == {"box-1": "ready"}
    assert len(board.instances()[0].points) == 2


def test_who_is_silent_for_fifteen_seconds_is_gone() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    board.add(report(clock.now))
    clock.forward(15)
    assert states(board) == {"box-1": "ready"}
    clock.forward(0.1)
    assert states(board) == {"box-1": "gone"}


def test_who_speaks_seldom_has_time_for_three_reports() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    board.add(report(clock.now, every_s=30))
    clock.forward(80)
    assert states(board) == {"box-1": "ready"}
    clock.forward(11)
    assert states(board) == {"box-1": "gone"}


def test_who_said_goodbye_has_ended_and_is_not_gone() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    board.add(report(clock.now, ending=True, ready=False))
    clock.forward(120)
    assert states(board) == {"box-1": "ended"}


def test_after_ten_minutes_an_instance_is_forgotten() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    board.add(report(clock.now))
    clock.forward(600)
    assert states(board) == {"box-1": "gone"}
    clock.forward(1)
    assert board.instances() == []


def test_nobody_is_blamed_for_silence_while_nothing_can_be_heard() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    board.add(report(clock.now))
    clock.forward(300)
    heard = board.instances(heard_until=NOW + timedelta(seconds=3))
    assert [each.state for each in heard] == ["ready"]


def test_points_are_kept_for_ten_minutes() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    for _ in range(400):
        board.add(report(clock.forward(2)))
    points = board.instances()[0].points
    assert 299 <= len(points) <= 301
    assert points[-1].at_s == clock.now.timestamp()


def test_reports_that_come_too_often_do_not_fill_the_memory() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    for _ in range(2_000):
        board.add(report(clock.forward(0.1)))
    assert len(board.instances()[0].points) <= 700


def test_the_number_of_instances_is_bounded_and_the_oldest_goes() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    for number in range(MOST_INSTANCES + 1):
        board.add(report(clock.forward(0.01), instance=f"box-{number}"))
    known = {each.report.instance for each in board.instances()}
    assert len(known) == MOST_INSTANCES
    assert "box-0" not in known


def test_a_new_process_of_the_same_name_is_a_restart() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    board.add(report(clock.now))
    board.add(report(clock.forward(2)))
    assert board.instances()[0].restarts == 0
    board.add(report(clock.forward(2), started_at=clock.now))
    assert board.instances()[0].restarts == 1


def test_a_clock_that_is_ahead_is_noticed_and_does_not_move_the_points() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    for _ in range(5):
        clock.forward(2)
        board.add(report(clock.now + timedelta(seconds=90)))
    heard = board.instances()[0]
    assert heard.ahead_s == 90
    assert heard.points[-1].at_s == clock.now.timestamp()


def test_a_report_that_took_long_says_little_about_the_clock() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    board.add(report(clock.now - timedelta(milliseconds=20)))
    clock.forward(2)
    board.add(report(clock.now - timedelta(seconds=8)))
    ahead_s = board.instances()[0].ahead_s
    assert ahead_s is not None
    assert ahead_s > -0.1


def test_reports_of_before_are_placed_by_their_own_clock_but_never_in_the_future() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    board.add(report(NOW - timedelta(minutes=20)), live=False)
    assert board.instances() == []
    board.add(report(NOW - timedelta(minutes=5)), live=False)
    assert states(board) == {"box-1": "gone"}
    board.add(report(NOW + timedelta(minutes=5)), live=False)
    heard = board.instances()[0]
    assert heard.at == NOW
    assert heard.ahead_s is None
