"""`docker compose up` with the demo override: who is named, how it scales, what it survives."""

from __future__ import annotations

import collections
import json
import re

import pytest

from identifier.names import slugify
from services.cli.footage_recipe import load_recipe
from tests.stack.engine import Stack
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)

WORKERS = "facestream-worker"

# Which frames a topic holds, by partition and offset of frames.raw, and what it says of each. It
# runs in a container, as Kafka is in reach of no one else.
READ = """
import json, sys
from confluent_kafka import Consumer, TopicPartition
from services.records.facestream_pb2 import ProcessedFrame

topic = sys.argv[1]
consumer = Consumer({
    "bootstrap.servers": "kafka:9092", "group.id": "test", "enable.auto.commit": False,
    "isolation.level": "read_committed", "enable.partition.eof": True,
    "fetch.message.max.bytes": 8388608,
})
partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
open_, frames = set(partitions), []
while open_:
    message = consumer.poll(30)
    if message is None:
        raise SystemExit("Kafka is silent")
    if message.error():
        open_.discard(message.partition())
    elif topic == "frames.raw":
        said = {name: value.decode() for name, value in message.headers() or ()}
        frames.append([message.partition(), message.offset(), said])
    else:
        frame = ProcessedFrame.FromString(message.value()).frame
        frames.append([frame.partition, frame.offset, {}])
print(json.dumps(frames))
"""


METRICS = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())
"""


def expected() -> dict[str, set[str]]:
    """Camera to the people that the demo's footage shows there."""
    return {
        name: {slugify(person) for person in camera.expected}
        for name, camera in load_recipe().cameras.items()
    }


def names_everybody(stack: Stack) -> None:
    """Watch the page until every camera has shown whom it should, and nobody else."""
    found: dict[str, set[str]] = collections.defaultdict(set)

    def complete() -> bool:
        for camera, people in stack.seen().items():
            found[camera] |= people
        return all(people <= found[camera] for camera, people in expected().items())

    eventually(complete, 120, f"the right names on the page, {dict(found)} so far")
    assert dict(found) == expected()


def all_go_on(stack: Stack, since: str) -> bool:
    """Whether the page has a newer frame of every camera."""
    cameras = stack.get("/api/state.json").json()["cameras"]
    return bool(cameras) and all(camera["last_seen"] > since for camera in cameras)


def members(stack: Stack) -> collections.Counter[str]:
    """Who has partitions of frames.raw, and how many."""
    return collections.Counter(who for who, _ in stack.group(WORKERS).values() if who)


def frames(stack: Stack, topic: str) -> list[tuple[tuple[int, int], dict[str, str]]]:
    """Where in frames.raw each frame of a topic came from, and what its headers say there."""
    found = json.loads(stack.python(READ, topic))
    return [((partition, offset), said) for partition, offset, said in found]


def only_once(stack: Stack) -> None:
    """Check that every frame there is was processed, and none twice."""
    stack.compose("stop", "producer")
    eventually(
        lambda: sum(lag for _, lag in stack.group(WORKERS).values()) == 0, 240, "everything read"
    )
    raw = {place for place, _ in frames(stack, "frames.raw")}
    times = collections.Counter(place for place, _ in frames(stack, "frames.processed"))
    stack.compose("start", "producer")

    assert len(raw) > 100
    assert [place for place, count in times.items() if count > 1] == []
    missing = sorted(raw - set(times))
    assert missing == [], f"{len(missing)} of {len(raw)} frames were not processed"


def test_from_nothing_the_page_names_the_right_people(demo: Stack) -> None:
    names_everybody(demo)
    assert "Barack Obama" in demo.get("/person/barack-obama").text


def test_nothing_is_published_but_the_page_on_loopback(demo: Stack) -> None:
    rows = [json.loads(line) for line in demo.compose("ps", "--format", "json").splitlines()]
    published = {
        (row["Service"], port["URL"])
        for row in rows
        for port in row["Publishers"] or ()
        if port["PublishedPort"]
    }
    assert published == {("viewer", "127.0.0.1")}
    assert demo.page.startswith("http://127.0.0.1:")


def test_three_workers_share_the_partitions_and_every_frame_is_processed_once(demo: Stack) -> None:
    demo.scale(3)
    eventually(
        lambda: sorted(members(demo).values()) == [2, 2, 2], 60, "two partitions for each worker"
    )
    demo.scale(1)
    eventually(lambda: list(members(demo).values()) == [6], 60, "all partitions for the one worker")
    only_once(demo)


@pytest.mark.parametrize("service", ["viewer", "producer", "worker", "identifier", "postgres"])
def test_a_service_that_is_killed_comes_back_by_itself(demo: Stack, service: str) -> None:
    before, _ = demo.restarts(service)
    demo.crash(service)
    eventually(
        lambda: demo.restarts(service) == (before + 1, "healthy"), 120, f"{service} again, healthy"
    )


def test_names_go_on_after_all_that(demo: Stack) -> None:
    names_everybody(demo)


def test_kafka_that_is_killed_comes_back_and_names_go_on(demo: Stack) -> None:
    before, _ = demo.restarts("kafka")
    demo.crash("kafka")
    eventually(lambda: demo.restarts("kafka") == (before + 1, "healthy"), 120, "Kafka again")
    now = demo.get("/api/state.json").json()["now"]
    eventually(lambda: all_go_on(demo, now), 180, "new frames of every camera")


def dropped(stack: Stack) -> dict[str, int]:
    """Camera to the frames that its producer says it let go because Kafka did not take them."""
    told = stack.python(METRICS, "http://producer:9100/metrics")
    counted = re.findall(
        r'^facestream_drops_total{camera="(\w+)",reason="producer-queue"} ([0-9.]+)$', told, re.M
    )
    return {camera: int(float(count)) for camera, count in counted}


def missing_numbers(headers: list[dict[str, str]]) -> dict[str, int]:
    """Camera to how many frames its newest session lacks."""
    seen: dict[tuple[str, str], set[int]] = collections.defaultdict(set)
    newest: dict[str, tuple[str, str]] = {}
    for said in headers:
        camera, session = said["camera"], said["session"]
        seen[camera, session].add(int(said["seq"]))
        newest[camera] = max(newest.get(camera, ("", "")), (said["captured-at"], session))
    numbers = {camera: seen[camera, session] for camera, (_, session) in newest.items()}
    return {camera: max(found) + 1 - len(found) for camera, found in numbers.items()}


def test_frames_that_kafka_s_absence_costs_are_counted(demo: Stack) -> None:
    cameras = set(expected())
    before = dropped(demo)

    def all_drop() -> bool:
        counted = dropped(demo)
        return all(counted.get(camera, 0) > before.get(camera, 0) for camera in cameras)

    demo.compose("stop", "kafka")
    eventually(all_drop, 120, "every camera lets frames go")
    demo.compose("start", "kafka")
    now = demo.get("/api/state.json").json()["now"]
    eventually(lambda: all_go_on(demo, now), 180, "new frames of every camera")
    counted = dropped(demo)
    demo.compose("stop", "producer")
    gaps = missing_numbers([said for _, said in frames(demo, "frames.raw")])
    demo.compose("start", "producer")
    assert set(gaps) == cameras
    # A frame that was given up may have arrived after all: never is one missing uncounted.
    assert all(0 < gaps[camera] <= counted[camera] for camera in cameras), (gaps, counted)


def test_a_worker_that_is_told_to_stop_drains_and_says_so(demo: Stack) -> None:
    demo.compose("stop", "worker")
    state = demo.inspect("worker")["State"]
    assert isinstance(state, dict)
    assert state["ExitCode"] == 0, demo.compose("logs", "--tail=40", "worker")
    demo.compose("start", "worker")
