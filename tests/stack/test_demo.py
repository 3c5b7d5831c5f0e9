"""`docker compose up` with the demo override: who is named, how it scales, what it survives."""

from __future__ import annotations

import collections
import json

import pytest

from identifier.names import slugify
from services.cli.footage_recipe import load_recipe
from tests.stack.engine import Stack
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)

WORKERS = "facestream-worker"

# Which frames a topic holds. It runs in a container, as Kafka is in reach of no one else.
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
        frames.append([message.partition(), message.offset()])
    else:
        frame = ProcessedFrame.FromString(message.value()).frame
        frames.append([frame.partition, frame.offset])
print(json.dumps(frames))
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


def members(stack: Stack) -> collections.Counter[str]:
    """Who has partitions of frames.raw, and how many."""
    return collections.Counter(
        host for host, _ in stack.group(WORKERS).values() if host not in ("-", "")
    )


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
    demo.compose("stop", "producer")
    eventually(
        lambda: sum(lag for _, lag in demo.group(WORKERS).values()) == 0, 240, "everything read"
    )

    raw = json.loads(demo.python(READ, "frames.raw"))
    processed = json.loads(demo.python(READ, "frames.processed"))
    demo.compose("start", "producer")

    times = collections.Counter(map(tuple, processed))
    assert len(raw) > 100
    assert [frame for frame, count in times.items() if count > 1] == []
    missing = sorted({tuple(frame) for frame in raw} - set(times))
    assert missing == [], f"{len(missing)} of {len(raw)} frames were not processed"


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
    fresh = demo.get("/api/state.json").json()["now"]
    eventually(
        lambda: all(
            camera["last_seen"] > fresh for camera in demo.get("/api/state.json").json()["cameras"]
        ),
        180,
        "new frames of every camera",
    )


def test_a_worker_that_is_told_to_stop_drains_and_says_so(demo: Stack) -> None:
    container = demo.containers("worker")[0]
    demo.compose("stop", "worker")
    state = demo.inspect("worker")["State"]
    assert isinstance(state, dict)
    assert state["ExitCode"] == 0, container
    demo.compose("start", "worker")
