from __future__ import annotations

from collections.abc import Iterator

import pytest

from autoscaler.containers import DockerWorkers, EngineError, OnPaper, connect
from tests.unit.autoscaler.engine import FakeEngine, fake_engine


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    pytest.importorskip("docker", reason="facestream[autoscaler] brings Docker's SDK")
    with fake_engine() as made:
        yield made


@pytest.fixture
def workers(engine: FakeEngine) -> Iterator[DockerWorkers]:
    with connect(engine.host) as api:
        yield DockerWorkers(api, "facestream", "worker")


def test_only_the_workers_of_the_project_are_seen(
    engine: FakeEngine, workers: DockerWorkers
) -> None:
    engine.add(2, status="exited")
    engine.add(1)
    engine.add(1, service="viewer")
    found = workers.all()
    assert [(each.name, each.number, each.live) for each in found] == [
        ("facestream-worker-1", 1, True),
        ("facestream-worker-2", 2, False),
    ]


def test_more_are_copies_with_the_next_free_numbers(
    engine: FakeEngine, workers: DockerWorkers
) -> None:
    engine.add(1)
    engine.add(3)
    assert workers.start(2) == ["facestream-worker-2", "facestream-worker-4"]
    assert all(each.live for each in workers.all())
    assert len(workers.all()) == 4


def test_one_that_stands_still_is_started_before_a_new_one_is_made(
    engine: FakeEngine, workers: DockerWorkers
) -> None:
    engine.add(1)
    stopped = engine.add(2, status="exited")
    assert workers.start(2) == ["facestream-worker-2", "facestream-worker-3"]
    assert engine.status(stopped) == "running"


def test_one_of_another_configuration_is_left_as_it_is(
    engine: FakeEngine, workers: DockerWorkers
) -> None:
    engine.add(1)
    old = engine.add(2, status="exited")
    engine.containers[old]["Config"]["Labels"]["com.docker.compose.config-hash"] = "before"
    assert workers.start(1) == ["facestream-worker-3"]
    assert engine.status(old) == "exited"


def test_a_copy_has_the_image_that_runs_though_its_name_means_another_by_now(
    engine: FakeEngine, workers: DockerWorkers
) -> None:
    engine.add(1)
    engine.tag_means = "sha256:new"
    workers.start(1)
    images = {each["Name"]: each["Image"] for each in engine.containers.values()}
    assert images["/facestream-worker-2"] == "sha256:old"


def test_without_one_that_runs_there_is_nothing_to_copy(
    engine: FakeEngine, workers: DockerWorkers
) -> None:
    engine.add(1, status="exited")
    with pytest.raises(EngineError, match="no worker runs"):
        workers.start(1)


def test_a_worker_gets_its_stop_signal_and_is_removed_when_it_has_ended(
    engine: FakeEngine, workers: DockerWorkers
) -> None:
    engine.add(1)
    second = engine.add(2)
    workers.drain(workers.all()[1:])
    assert engine.containers[second]["Killed"] == "SIGTERM"
    assert workers.clear() == []
    assert [each.draining for each in workers.all()] == [False, True]
    engine.end(second)
    assert workers.clear() == ["facestream-worker-2"]
    assert engine.names == ["facestream-worker-1"]


def test_nothing_that_could_kill_a_worker_is_ever_asked_for(
    engine: FakeEngine, workers: DockerWorkers
) -> None:
    engine.add(1)
    second = engine.add(2)
    workers.drain(workers.all()[1:])
    for _ in range(5):
        workers.clear()
    assert not any(
        path.endswith(("/stop", "/restart")) or path.startswith("DELETE") for path in engine.asked
    )
    assert engine.status(second) == "running"


def test_one_that_somebody_else_stopped_is_not_removed(
    engine: FakeEngine, workers: DockerWorkers
) -> None:
    engine.add(1)
    engine.add(2, status="exited")
    assert workers.clear() == []
    assert len(engine.names) == 2


def test_a_copy_that_does_not_start_leaves_nothing_behind(
    engine: FakeEngine, workers: DockerWorkers
) -> None:
    engine.add(1)
    engine.refuses = "/start$"
    with pytest.raises(EngineError, match="cannot start a copy of facestream-worker-1: not today"):
        workers.start(1)
    assert engine.names == ["facestream-worker-1"]


def test_an_engine_that_is_gone_is_one_error(engine: FakeEngine, workers: DockerWorkers) -> None:
    engine.refuses = "/containers/json"
    with pytest.raises(EngineError, match="cannot list the workers: not today"):
        workers.all()
    with pytest.raises(EngineError, match="no Docker engine at DOCKER_HOST=tcp"):
        connect("tcp://127.0.0.1:9")


def test_on_paper_nothing_changes(engine: FakeEngine, workers: DockerWorkers) -> None:
    engine.add(1)
    engine.add(2)
    paper = OnPaper(workers)
    paper.drain(paper.all())
    assert paper.start(2) == []
    assert paper.clear() == []
    assert all(path.startswith("GET") for path in engine.asked)
