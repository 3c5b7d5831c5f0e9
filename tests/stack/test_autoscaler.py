"""The autoscaler on a real engine: a burst brings workers, quiet takes them away."""

from __future__ import annotations

import collections
import json
from collections.abc import Iterator

import pytest

from tests.stack.engine import Stack, docker, stack
from tests.stack.test_demo import WORKERS, frames, members
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)

# Frames without a camera: `FPSxSECONDS` parts, one after the other. The picture is nobody.
LOAD = """
import sys, time, uuid
import cv2, numpy as np
from confluent_kafka import Producer

producer = Producer({"bootstrap.servers": "kafka:9092", "enable.idempotence": True})
picture = np.random.default_rng(1).integers(0, 255, (45, 80, 3), dtype=np.uint8)
jpeg = cv2.imencode(".jpg", cv2.resize(picture, (320, 180)))[1].tobytes()
for part in sys.argv[1:]:
    fps, seconds = map(float, part.split("x"))
    began_s, sent = time.monotonic(), 0
    while time.monotonic() - began_s < seconds:
        while sent < fps * (time.monotonic() - began_s):
            producer.produce("frames.raw", jpeg, key=f"load/{uuid.uuid4()}/{sent}")
            sent += 1
        producer.poll(0.02)
assert producer.flush(30) == 0
"""

# A quarter of a core per worker: one would do what three can where there are few.
SLOW = """
services:
  worker:
    cpus: 0.25
"""


@pytest.fixture(scope="module")
def scaled(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with the autoscaler and one slow worker; no camera."""
    folder = tmp_path_factory.mktemp("autoscaler")
    slow = folder / "slow.yml"
    slow.write_text(SLOW)
    knobs = {
        "MAX_FRAME_AGE_S": "0",
        "MAX_WORKERS": "3",
        "COOL_DOWN_UP_S": "10",
        "COOL_DOWN_DOWN_S": "20",
    }
    with stack(folder, ["compose.autoscaler.yml", str(slow)], **knobs) as made:
        made.compose("build", "--quiet", "autoscaler")
        made.up()
        yield made


def test_a_burst_brings_workers_quiet_takes_them_away_and_nothing_is_lost(scaled: Stack) -> None:
    before = scaled.containers("worker")
    assert len(before) == 1
    scaled.python(LOAD, "40x25")
    eventually(lambda: len(members(scaled)) == 3, 120, "three workers share the partitions")
    rows = scaled.compose("ps", "--format", "json", "worker").splitlines()
    names = sorted(json.loads(row)["Name"] for row in rows)
    assert names == [f"{scaled.project}-worker-{number}" for number in (1, 2, 3)]
    three = sorted(scaled.containers("worker"))
    scaled.compose("up", "--detach", "--no-deps", "--scale", "worker=3", "worker")
    assert sorted(scaled.containers("worker")) == three, "compose takes them for its own"

    eventually(lambda: scaled.containers("worker") == before, 300, "one worker, the first")
    eventually(lambda: sum(lag for _, lag in scaled.group(WORKERS).values()) == 0, 120, "all done")
    eventually(
        lambda: scaled.compose("ps", "--all", "--quiet", "worker").split() == before,
        what="those that drained are removed",
    )

    raw = {place for place, _ in frames(scaled, "frames.raw")}
    processed = collections.Counter(place for place, _ in frames(scaled, "frames.processed"))
    assert len(raw) >= 900
    assert [frame for frame, count in processed.items() if count > 1] == []
    assert set(processed) == raw


def test_the_autoscaler_ends_and_leaves_the_workers(scaled: Stack) -> None:
    scaled.compose("start", "autoscaler")
    workers = scaled.containers("worker")
    scaled.compose("stop", "--timeout", "20", "autoscaler")
    assert scaled.inspect("autoscaler")["State"]["ExitCode"] == 0  # type: ignore[index]
    assert scaled.containers("worker") == workers


def test_the_proxy_lets_nothing_through_that_the_autoscaler_does_not_need(scaled: Stack) -> None:
    ask = """
import http.client, sys
def status(method, path):
    connection = http.client.HTTPConnection("docker-api", 2375, timeout=10)
    connection.request(method, path)
    return connection.getresponse().status
container = sys.argv[1]
print(*[status(*each.split(" ")) for each in (
    "GET /version",
    f"GET /containers/{container}/json",
    f"POST /containers/{container}/exec",
    f"GET /containers/{container}/archive?path=/etc",
    f"GET /containers/{container}/logs?stdout=1",
    f"POST /containers/{container}/kill?signal=SIGKILL",
    f"POST /containers/{container}/stop",
    f"DELETE /containers/{container}?force=1",
    "GET /images/json",
    "GET /volumes",
    "GET /secrets",
    "GET /containers/../info",
    "GET /info",
)])
"""
    scaled.compose("start", "autoscaler")
    worker = docker("inspect", "--format", "{{.Id}}", scaled.containers("worker")[0])
    told = scaled.compose("exec", "-T", "autoscaler", "python", "-", worker, given=ask).split()
    assert told[:2] == ["200", "200"]
    assert set(told[2:]) == {"403"}
