"""Cameras that are given: begun, changed and ended, and never run past their lease."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from producer.assigned import Assigned
from producer.identifier import Given
from producer.names import Names
from producer.publisher import LivePublisher
from producer.settings import ProducerSettings
from tests.unit.producer.media import write_video
from tests.unit.producer.mjpeg import MjpegCamera, picture
from tests.waiting import eventually

FRAMES = [picture(number) for number in range(5)]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Bench:
    """What is given to a producer whose broker is away: frames wait, none leaves."""

    def __init__(self) -> None:
        settings = ProducerSettings.load(
            env={
                "SOURCE": "0",
                "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
                "RECONNECT_MIN_S": "0.02",
                "RECONNECT_MAX_S": "0.05",
            }
        )
        self.clock = Clock()
        self.names = Names(["hall"])
        self.publisher = LivePublisher(settings)
        self.assigned = Assigned(settings, self.publisher, self.names, self.clock)

    def states(self) -> dict[str, str]:
        return {report.name: report.state for report in self.assigned.reports()}

    def until(self, name: str, state: str) -> None:
        eventually(lambda: self.states().get(name) == state, 60, f"{name} is {state}")

    def published(self, name: str) -> int:
        return sum(r.frames for r in self.assigned.reports() if r.name == name)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.assigned.close()
    made.publisher.close(0.1)


@pytest.fixture
def yard() -> Iterator[MjpegCamera]:
    with MjpegCamera(FRAMES, period_s=0.01) as camera:
        yield camera


def given(camera: MjpegCamera, name: str = "yard", **more: float) -> Given:
    return Given.model_validate({"name": name, "address": camera.uri} | more)


def test_what_is_given_runs_and_what_is_not_given_any_more_ends(
    bench: Bench, yard: MjpegCamera
) -> None:
    bench.assigned.apply([given(yard, "a"), given(yard, "b")], 10)
    bench.until("a", "running")
    bench.until("b", "running")
    assert bench.names.assigned == {"a", "b"}
    bench.assigned.apply([given(yard, "b")], 10)
    assert set(bench.states()) == {"b"}
    assert bench.names.assigned == {"b"}
    eventually(lambda: len(yard._open) == 1, 60, "a is left")


def test_the_same_again_changes_nothing_and_a_change_begins_anew(
    bench: Bench, yard: MjpegCamera
) -> None:
    bench.assigned.apply([given(yard)], 10)
    bench.until("yard", "running")
    asked = yard.requests
    bench.assigned.apply([given(yard)], 20)
    assert yard.requests == asked
    bench.assigned.apply([given(yard, fps=5)], 20)
    eventually(lambda: yard.requests > asked, 60, "it is opened again")


def test_with_its_lease_a_camera_ends_and_with_a_new_one_it_begins(
    bench: Bench, yard: MjpegCamera
) -> None:
    bench.assigned.apply([given(yard)], 10)
    bench.until("yard", "running")
    eventually(lambda: bench.published("yard") > 3, 60, "frames go out")
    bench.clock.now_s = 9.9
    bench.assigned.look()
    assert bench.states() == {"yard": "running"}
    bench.clock.now_s = 10
    bench.assigned.look()
    assert bench.states() == {}
    eventually(lambda: not yard._open, 60, "the camera is left")
    bench.assigned.apply([given(yard)], 20)
    bench.until("yard", "running")


def test_not_one_frame_goes_out_past_the_lease_though_nobody_looks(
    bench: Bench, yard: MjpegCamera
) -> None:
    bench.assigned.apply([given(yard)], 10)
    (run,) = bench.assigned._runs.values()
    eventually(lambda: run.camera.published > 3, 60, "frames go out")
    bench.clock.now_s = 10
    run.thread.join(20)
    assert not run.thread.is_alive()


def test_a_name_of_its_own_sources_or_pushes_is_an_error_and_runs_nothing(
    bench: Bench, yard: MjpegCamera
) -> None:
    bench.names.pushed = frozenset({"phone"})
    bench.assigned.apply([given(yard, "hall"), given(yard, "phone")], 10)
    hall, phone = bench.assigned.reports()
    assert (hall.state, "SOURCES" in hall.error) == ("failed", True)
    assert (phone.state, "pushed" in phone.error) == ("failed", True)
    assert yard.requests == 0
    bench.names.pushed = frozenset()
    bench.assigned.apply([given(yard, "phone")], 10)
    bench.until("phone", "running")


def test_an_address_that_makes_no_sense_is_an_error_without_its_password(bench: Bench) -> None:
    wrong = Given(name="yard", address="gopher://u:hush@cam/1")
    bench.assigned.apply([wrong], 10)
    (report,) = bench.assigned.reports()
    assert report.state == "failed"
    assert "hush" not in str(report.document())
    assert "hush" not in repr(wrong)


def test_a_file_plays_for_ever_and_one_that_is_none_fails_alone(
    bench: Bench, yard: MjpegCamera, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "a.mp4", 5, fps=100)
    files = [
        Given(name="clip", address=str(video)),
        Given(name="gone", address=str(tmp_path / "gone.mp4")),
    ]
    bench.assigned.apply([*files, given(yard)], 10)
    bench.until("gone", "failed")
    bench.until("yard", "running")
    eventually(lambda: bench.published("clip") > 10, 60, "it is played again")
    bench.assigned.look()


def test_drops_are_counted_from_the_cameras_own_beginning(bench: Bench, yard: MjpegCamera) -> None:
    name = f"cam-{uuid4().hex[:8]}"
    bench.assigned.apply([given(yard, name)], 10)
    eventually(lambda: bench.assigned.reports()[0].drops > 5, 60, "the broker is away")
    bench.assigned.apply([], 10)
    bench.assigned.apply([given(yard, name)], 10)
    assert bench.assigned.reports()[0].drops < 5


def test_closing_ends_everything_and_nothing_begins_after(bench: Bench, yard: MjpegCamera) -> None:
    bench.assigned.apply([given(yard)], 10)
    bench.until("yard", "running")
    bench.assigned.close()
    bench.assigned.apply([given(yard)], 10)
    assert bench.states() == {}
    eventually(
        lambda: all(t.name != "camera-yard" for t in threading.enumerate()), 60, "threads end"
    )
