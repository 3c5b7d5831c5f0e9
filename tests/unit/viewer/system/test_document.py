"""The series, the figures and the tables of the page."""

from __future__ import annotations

import json

from tests.unit.viewer.system.reports import Clock, report
from viewer.system.board import StatusBoard
from viewer.system.document import SystemJson, make_document
from viewer.system.lag import GroupState, LagState, PartitionLag, WatchedGroup, records_waiting
from viewer.system.series import POINTS


def document(board: StatusBoard, clock: Clock, lag: LagState | None = None) -> SystemJson:
    return make_document(clock.now, board.instances(), 0, lag or LagState(), {})


def test_workers_are_summed_however_their_reports_interleave() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    for _ in range(60):
        for instance in ("a", "b", "c", "d"):
            board.add(report(clock.forward(0.5), instance=instance, out_per_s=10))
    made = document(board, clock)
    line = made["series"]["frames_worker"]
    assert len(line) == POINTS
    assert line[-50:] == [40.0] * 50
    assert made["figures"]["frames_worker"] == 40.0
    assert made["figures"]["workers"] == 4.0


def test_one_that_reports_seldom_is_drawn_without_gaps() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    for _ in range(20):
        board.add(report(clock.forward(10), every_s=10, out_per_s=3))
    line = document(board, clock)["series"]["frames_worker"]
    assert line[-90:] == [3.0] * 90


def test_where_nothing_was_said_there_is_nothing() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    made = document(board, clock)
    assert made["series"]["frames_worker"] == [None] * POINTS
    assert made["figures"]["frames_worker"] is None
    assert made["instances"] == []
    assert made["groups"] == []
    assert made["kafka"]["answering"] is None


def test_after_an_end_the_figure_goes_away() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    for _ in range(30):
        board.add(report(clock.forward(2)))
    clock.forward(30)
    made = document(board, clock)
    assert made["figures"]["frames_worker"] is None
    assert made["instances"][0]["state"] == "gone"
    assert made["instances"][0]["out_per_s"] == 0.0


def test_the_median_is_weighted_by_frames_and_the_tail_is_the_worst() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    for _ in range(10):
        clock.forward(2)
        board.add(report(clock.now, instance="a", out_per_s=30, p95_ms=100))
        board.add(report(clock.now, instance="b", out_per_s=10, p95_ms=500))
    figures = document(board, clock)["figures"]
    assert figures["p50_worker"] == 100.0
    assert figures["p95_worker"] == 500.0


def test_lag_over_time_has_no_holes_where_an_answer_came_a_little_late() -> None:
    clock = Clock()
    start_s = clock.now.timestamp()
    asked = [(start_s + at, 7) for at in (0.1, 2.1, 4.1, 6.2, 8.2, 10.3, 12.3)]
    clock.forward(20)
    made = make_document(clock.now, [], 0, LagState(), {"worker": asked})
    line = made["series"]["lag_worker"]
    known = [at for at, value in enumerate(line) if value is not None]
    assert line[known[0] : known[-1] + 1] == [7.0] * 7


def test_a_pack_comes_with_its_licence_and_one_nobody_knows_without() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    board.add(report(clock.now, model_pack="buffalo_s", device="cpu"))
    board.add(report(clock.now, service="identifier", model_pack="buffalo_s"))
    board.add(report(clock.now, instance="odd", model_pack="my_own"))
    known, unknown = document(board, clock)["packs"]
    assert "non-commercial" in known["licence"]
    assert known["licence_url"].startswith("https://")
    assert known["devices"] == ["cpu"]
    assert known["used_by"] == ["identifier", "worker"]
    assert (unknown["name"], unknown["licence"]) == ("my_own", "")


def test_groups_say_how_much_waits_and_where() -> None:
    clock = Clock()
    watched = WatchedGroup("worker", "facestream-worker", "frames.raw")
    partitions = [PartitionLag(0, 5, 9, 4, "worker-1"), PartitionLag(1, None, 3, 3)]
    lag = LagState(True, "", clock.now, 1, [GroupState(watched, "stable", 1, partitions)])
    (group,) = document(StatusBoard(clock), clock, lag)["groups"]
    assert group["lag"] == 7
    assert group["partitions"][0]["member"] == "worker-1"
    assert group["partitions"][1]["committed"] is None


def test_the_document_is_json_and_small() -> None:
    clock = Clock()
    board = StatusBoard(clock)
    for _ in range(300):
        clock.forward(2)
        for service in ("producer", "worker", "identifier", "viewer"):
            board.add(report(clock.now, service, p95_ms=123.4, batch_mean=3.3))
    assert len(json.dumps(document(board, clock), allow_nan=False)) < 60_000


def test_a_marker_behind_the_last_transaction_is_no_record_that_waits() -> None:
    assert records_waiting(9, 0, 10, transactional=True) == 0
    assert records_waiting(9, 0, 10, transactional=False) == 1
    assert records_waiting(5, 0, 10, transactional=True) == 5
    assert records_waiting(None, 0, 1, transactional=True) == 1


def test_what_a_topic_has_forgotten_does_not_wait() -> None:
    assert records_waiting(5, 8, 10, transactional=False) == 2
    assert records_waiting(None, 8, 10, transactional=False) == 2
    assert records_waiting(12, 0, 10, transactional=False) == 0
