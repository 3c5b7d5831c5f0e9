"""What the doctor of the page makes of the reports."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

from services.doctor.check import Check
from services.status.report import StatusReport
from tests.unit.viewer.system.reports import NOW, Clock, report
from tests.waiting import eventually
from viewer.system.board import StatusBoard
from viewer.system.doctor import Doctor
from viewer.system.findings import PageFacts, fleet_checks, page_check
from viewer.system.lag import GroupState, LagState, PartitionLag, WatchedGroup
from viewer.texts import Texts

TEXTS = Texts()
FLEET = (
    report(service="producer", instance="cam", in_per_s=25),
    report(service="worker", instance="w", model_pack="buffalo_s", device="cpu"),
    report(service="identifier", instance="i", model_pack="buffalo_s", gallery_references="3"),
    report(service="viewer", instance="v"),
)


def checks(
    *reports: StatusReport,
    lag: LagState | None = None,
    after_s: float = 0,
    delays: tuple[tuple[str, int], ...] = (),
) -> dict[str, Check]:
    clock = Clock()
    board = StatusBoard(clock)
    for each in reports:
        board.add(each)
    clock.forward(after_s)
    found = fleet_checks(board.instances(), lag or LagState(), delays, TEXTS)
    return {check.what: check for check in found}


def not_ok(found: dict[str, Check]) -> dict[str, str]:
    assert all(check.fix for check in found.values() if check.state == "fail")
    return {what: check.state for what, check in found.items() if check.state != "ok"}


def test_a_fleet_that_is_well_has_nothing_to_be_done() -> None:
    found = checks(*FLEET)
    assert not_ok(found) == {}
    assert found["models"].detail == "buffalo_s on cpu"


def test_without_any_report_that_is_the_one_finding() -> None:
    assert list(checks()) == ["reports"]


def test_without_a_worker_no_face_is_found() -> None:
    found = checks(*(each for each in FLEET if each.service != "worker"))
    assert found["workers"].state == "fail"
    assert "facestream worker" in found["workers"].fix


def test_without_an_identifier_nobody_gets_a_name() -> None:
    found = checks(*(each for each in FLEET if each.service != "identifier"))
    assert found["identifiers"].state == "fail"


def test_an_empty_gallery_is_said() -> None:
    nobody = report(service="identifier", instance="i", gallery_references="0")
    assert checks(*FLEET, nobody)["identifiers"].state == "warn"


def test_a_producer_whose_sources_ended_is_well_and_one_without_frames_is_not() -> None:
    ended = report(service="producer", instance="cam", ending=True, ready=False)
    assert checks(*FLEET[1:], ended)["producers"].state == "ok"
    silent = report(service="producer", instance="cam", in_per_s=0)
    assert checks(*FLEET[1:], silent)["producers"].state == "warn"
    assert checks(*FLEET[1:])["producers"].state == "warn"


def test_who_went_silent_without_a_goodbye_is_named() -> None:
    found = checks(*FLEET, after_s=20)
    assert "log" in found["worker w"].fix
    assert found["workers"].state == "fail"


def test_who_is_not_ready_says_why() -> None:
    waiting = report(service="worker", instance="slow", ready=False)
    assert "partitions: none yet" in checks(*FLEET, waiting)["worker slow"].detail


def test_who_begins_again_and_again_is_named() -> None:
    again = [
        report(NOW, instance="w", started_at=NOW - timedelta(minutes=n)) for n in range(5, 0, -1)
    ]
    assert "4 times" in checks(*FLEET, *again[1:])["worker w"].detail


def test_faces_of_two_packs_cannot_be_compared() -> None:
    other = report(service="worker", instance="w2", model_pack="buffalo_l")
    found = checks(*FLEET, other)["models"]
    assert found.state == "fail"
    assert "buffalo_l: worker w2" in found.detail


def test_two_versions_side_by_side_are_said() -> None:
    assert checks(*FLEET, report(instance="old", version="0.0.9"))["versions"].state == "warn"


def test_a_clock_that_is_off_is_named_with_how_much() -> None:
    ahead = report(NOW + timedelta(seconds=7), instance="w9", model_pack="buffalo_s")
    found = checks(*FLEET, ahead)["clocks"]
    assert found.state == "warn"
    assert "worker w9" in found.detail
    assert "7.0 s ahead of" in found.detail


def test_old_pictures_are_said_with_their_camera() -> None:
    found = checks(*FLEET, delays=(("door", 300), ("hall", 45_000)))["delay"]
    assert "hall" in found.detail
    assert "45 s" in found.detail


def test_a_group_that_falls_behind_is_said_and_a_few_records_are_not() -> None:
    def lag(records: int) -> LagState:
        watched = WatchedGroup("worker", "facestream-worker", "frames.raw")
        partitions = [PartitionLag(0, 0, records, records)]
        return LagState(True, "", NOW, 1, [GroupState(watched, "stable", 1, partitions)])

    assert "worker group" not in checks(*FLEET, lag=lag(60))
    behind = checks(*FLEET, lag=lag(600))["worker group"]
    assert behind.detail == "600 records wait, 60 s of work"
    assert "workers" in behind.fix


def test_the_page_says_who_can_reach_it() -> None:
    assert page_check(PageFacts(loopback_only=True), TEXTS).state == "ok"
    assert page_check(PageFacts(loopback_only=False, login=False), TEXTS).state == "fail"
    assert (
        page_check(PageFacts(loopback_only=False, login=True, https=False), TEXTS).state == "warn"
    )
    assert page_check(PageFacts(loopback_only=False, login=True, https=True), TEXTS).state == "ok"


def test_the_doctor_looks_once_in_ten_seconds_however_many_ask() -> None:
    looks = []
    now_s = [0.0]

    def look() -> Iterator[Check]:
        looks.append(1)
        yield Check("x", "ok", f"look {len(looks)}")

    doctor = Doctor(look, lambda: now_s[0])
    assert doctor.findings(wait_s=10).checks[0].detail == "look 1"
    now_s[0] = 9.0
    for _ in range(5):
        assert not doctor.findings().looking
    now_s[0] = 11.0
    assert doctor.findings().checks[0].detail == "look 1"
    eventually(lambda: doctor.findings().checks[0].detail == "look 2", what="it looks again")


def test_nobody_waits_for_a_doctor_who_takes_long() -> None:
    go_on = threading.Event()

    def look() -> Iterator[Check]:
        go_on.wait(20)
        yield Check("x", "ok", "at last")

    doctor = Doctor(look)
    first = doctor.findings(wait_s=0.01)
    assert (first.checks, first.at, first.looking) == ((), None, True)
    go_on.set()
    assert doctor.findings(wait_s=10).checks[0].detail == "at last"
