"""Every camera on exactly one producer, whoever comes and goes, whichever identifier is asked."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from identifier.cameras.values import CameraChange
from tests.integration.identifier.cameras.conftest import (
    BOTH_DATABASES,
    Desk,
    OpenDesk,
    report,
    running,
)
from tests.waiting import eventually

pytestmark = BOTH_DATABASES

ADDRESS = "rtsp://admin:hush@10.0.0.5/main"


def add(desk: Desk, *names: str) -> None:
    for name in names:
        desk.cameras.add(name, ADDRESS)


def settle(desk: Desk, *producers: str, rounds: int = 4) -> dict[str, set[str]]:
    """What each producer runs after they have all reported some times; never the same twice."""
    runs: dict[str, set[str]] = {producer: set() for producer in producers}
    for _ in range(rounds):
        for producer in producers:
            orders = desk.leases.report(producer, report(*sorted(runs[producer])))
            runs[producer] = {given.name for given in orders.cameras}
            everything = [name for names in runs.values() for name in names]
            assert len(everything) == len(set(everything)), runs
    return runs


def test_a_producer_gets_a_camera_with_its_whole_address(desk: Desk) -> None:
    desk.cameras.add("door", ADDRESS, fps=5, max_side=640)
    (given,) = desk.leases.report("a", report()).cameras
    assert (given.name, given.address, given.fps, given.max_side) == ("door", ADDRESS, 5, 640)
    assert "hush" not in repr(given)
    camera = desk.cameras.get("door")
    assert camera is not None
    assert camera.producer == "a"


def test_two_producers_share_evenly_and_nothing_runs_twice_while_it_moves(desk: Desk) -> None:
    add(desk, "c1", "c2", "c3", "c4", "c5")
    assert len(settle(desk, "a")["a"]) == 5
    first = settle(desk, "a", rounds=1)["a"]
    orders = desk.leases.report("b", report())
    assert orders.cameras == ()  # a has them all, and does not know yet
    kept = {given.name for given in desk.leases.report("a", report(*sorted(first))).cameras}
    assert len(kept) == 3
    # What a gave up it may still be running: it has not said that it stopped.
    assert desk.leases.report("b", report()).cameras == ()
    desk.leases.report("a", report(*sorted(kept)))
    moved = {given.name for given in desk.leases.report("b", report()).cameras}
    assert moved == first - kept


def test_many_producers_and_few_cameras_settle(desk: Desk) -> None:
    add(desk, "c1", "c2", "c3", "c4")
    runs = settle(desk, "a", "b", "c")
    assert sorted(len(names) for names in runs.values()) == [1, 1, 2]
    assert settle(desk, "a", "b", "c", rounds=6).keys() == runs.keys()


def test_what_a_silent_producer_had_goes_to_another_and_not_before(open_desk: OpenDesk) -> None:
    desk = open_desk(lease_s=1.0)
    add(desk, "door")
    assert desk.leases.report("a", report()).cameras
    assert desk.leases.report("b", report()).cameras == ()
    eventually(lambda: bool(desk.leases.report("b", report()).cameras), 60, "b gets it")
    assert desk.leases.report("a", report()).cameras == ()


def test_a_producer_that_says_goodbye_is_followed_at_once(desk: Desk) -> None:
    add(desk, "door")
    desk.leases.report("a", report())
    desk.leases.report("a", report("door", leaving=True))
    assert desk.leases.report("b", report()).cameras
    assert [producer.id for producer in desk.leases.producers()] == ["b"]


def test_a_camera_that_is_removed_or_switched_off_ends_and_may_begin_again(desk: Desk) -> None:
    add(desk, "door", "yard")
    assert len(desk.leases.report("a", report()).cameras) == 2
    desk.cameras.change("door", CameraChange(enabled=False))
    desk.cameras.remove("yard")
    assert desk.leases.report("a", report("door", "yard")).cameras == ()
    desk.cameras.change("door", CameraChange(enabled=True))
    add(desk, "yard")
    # Until a says that it has stopped them, nobody else begins.
    assert desk.leases.report("b", report()).cameras == ()
    assert desk.leases.report("a", report()).cameras
    assert desk.leases.report("b", report()).cameras


def test_a_camera_is_not_run_beside_a_source_of_the_same_name(desk: Desk) -> None:
    add(desk, "door")
    orders = desk.leases.report("a", report(running("door", fixed=True)))
    assert orders.cameras == ()
    orders = desk.leases.report("b", report())
    assert (orders.cameras, orders.taken) == ((), ("door",))


def test_others_are_told_which_names_are_not_theirs(desk: Desk) -> None:
    add(desk, "door", "yard")
    desk.leases.report("a", report(running("phone", pushed=True)))
    orders = desk.leases.report("b", report())
    mine = {given.name for given in orders.cameras}
    assert set(orders.taken) == {"door", "yard", "phone"} - mine


def test_any_identifier_gives_the_same_answer(open_desk: OpenDesk) -> None:
    one, two = open_desk(), open_desk()
    add(one, "c1", "c2")
    assert len(two.leases.report("a", report()).cameras) == 2
    assert one.leases.report("b", report()).cameras == ()
    kept = {given.name for given in one.leases.report("a", report("c1", "c2")).cameras}
    two.leases.report("a", report(*kept))
    moved = {given.name for given in two.leases.report("b", report()).cameras}
    assert moved == {"c1", "c2"} - kept


def test_producers_that_report_at_the_same_moment_get_no_camera_twice(
    open_desk: OpenDesk,
) -> None:
    desks = [open_desk() for _ in range(2)]
    add(desks[0], *(f"c{number}" for number in range(8)))
    runs: dict[str, set[str]] = {}
    begin = threading.Barrier(4)

    def be(producer: str, desk: Desk) -> None:
        begin.wait(60)
        mine: set[str] = set()
        for _ in range(6):
            mine = {g.name for g in desk.leases.report(producer, report(*sorted(mine))).cameras}
            runs[producer] = mine

    threads = [threading.Thread(target=be, args=(f"p{n}", desks[n % 2])) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    after = settle(desks[0], *sorted(runs), rounds=5)
    assert sorted(len(names) for names in after.values()) == [2, 2, 2, 2]


@pytest.mark.parametrize("key", ["camera.key", "CAMERA_KEY"])
def test_the_database_alone_shows_no_password(open_desk: OpenDesk, key: str) -> None:
    given = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    desk = open_desk(key=given if key == "CAMERA_KEY" else None)
    add(desk, "door")
    desk.shots.want(ADDRESS)
    with desk.database.reading() as session:
        kept = session.execute(text("SELECT * FROM cameras")).all()
        shots = session.execute(text("SELECT * FROM camera_shots")).all()
    assert "hush" not in repr(kept)
    assert "hush" not in repr(shots)


def test_without_its_key_a_camera_waits_and_says_why(open_desk: OpenDesk) -> None:
    add(open_desk(), "door")
    other = open_desk(key="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    assert other.leases.report("a", report()).cameras == ()
    camera = other.cameras.get("door")
    assert camera is not None
    assert not camera.readable
    with capture_logs() as logs:
        other.cameras.check_key()
    assert [(entry["log_level"], entry["cameras"]) for entry in logs] == [("error", ["door"])]
    other.cameras.change("door", CameraChange(address=ADDRESS))
    (given,) = other.leases.report("a", report()).cameras
    assert given.address == ADDRESS
