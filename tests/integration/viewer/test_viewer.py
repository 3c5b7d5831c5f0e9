"""The viewer on a real Kafka: frames in at one end, a browser at the other."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx
import numpy as np
import pytest
from confluent_kafka import Producer

from services.kafka.clients import make_consumer
from services.records.jpeg import jpeg_size
from tests.footage import CLIP_SIZE, FakeCamera, face, play
from tests.integration.viewer.conftest import (
    MakeCamera,
    RunningViewer,
    free_port,
    wait_until,
)
from tests.integration.viewer.mjpeg import StuckBrowser, decode, watching
from viewer.drawing import UNKNOWN, colour_of
from viewer.settings import ViewerSettings

pytestmark = pytest.mark.kafka

DRAWN = "facestream_viewer_drawn_frames_total"
WATCHERS = "facestream_viewer_watchers"


@contextmanager
def playing(
    *cameras: FakeCamera, fps: float = 15, most_s: float = 200
) -> Iterator[threading.Event]:
    """Cameras that run beside the test until it ends, or until the event is set."""
    ended = threading.Event()

    def run() -> None:
        until = time.monotonic() + most_s
        while not ended.is_set() and time.monotonic() < until:
            play(cameras, fps, time.monotonic() + 1 / fps / 2)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ended
    finally:
        ended.set()
        thread.join()


def has_colour(image: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(image.astype(int) - colour).max(axis=2) < 30).sum() > 200)


def known(viewer: RunningViewer, *names: str) -> bool:
    return {str(camera["name"]) for camera in viewer.state()["cameras"]} >= set(names)


def test_the_stream_shows_changing_frames_with_boxes_and_every_part_is_whole(
    viewer: RunningViewer, camera: MakeCamera
) -> None:
    hall = camera("hall", face("sam", "Sam"), face(x=350))
    with playing(hall):
        wait_until(lambda: known(viewer, "hall"))
        with watching(f"{viewer.url}/stream/hall.mjpg") as frames:
            seen = [next(frames) for _ in range(12)]
    assert len(set(seen)) == 12
    for jpeg in seen:
        assert jpeg_size(jpeg) == CLIP_SIZE
        image = decode(jpeg)
        assert has_colour(image, colour_of("sam"))
        assert has_colour(image, UNKNOWN)


def test_the_stream_of_a_person_has_only_frames_with_them(
    viewer: RunningViewer, camera: MakeCamera
) -> None:
    hall = camera("hall", face("sam", "Sam"))
    hall.send()
    wait_until(lambda: known(viewer, "hall"))
    with watching(f"{viewer.url}/stream/person/sam.mjpg") as frames:
        assert has_colour(decode(next(frames)), colour_of("sam"))
        hall.faces = [face()]
        for _ in range(5):
            hall.send()
        hall.faces = [face("sam", "Sam"), face(x=350)]
        last = hall.send()
        image = decode(next(frames))
    assert last == 6
    assert has_colour(image, colour_of("sam"))
    assert has_colour(image, UNKNOWN)


def test_who_is_not_seen_yet_is_waited_for_and_then_shown(
    viewer: RunningViewer, camera: MakeCamera
) -> None:
    with watching(f"{viewer.url}/stream/person/sam.mjpg") as frames:
        assert not has_colour(decode(next(frames)), colour_of("sam"))
        camera("hall", face("sam", "Sam")).send()
        assert has_colour(decode(next(frames)), colour_of("sam"))


def test_fifty_browsers_share_one_encoding_of_every_frame(
    viewer: RunningViewer, camera: MakeCamera
) -> None:
    hall = camera("hall", face("sam", "Sam"))
    hall.send()
    wait_until(lambda: known(viewer, "hall"))
    before = viewer.metric(DRAWN)
    with ExitStack() as stack:
        browsers = [
            stack.enter_context(watching(f"{viewer.url}/stream/{path}.mjpg"))
            for path in ("hall", "person/sam")
            for _ in range(25)
        ]
        last = [next(frames) for frames in browsers]
        for _ in range(10):
            hall.send()
            last = [next(frames) for frames in browsers]
            assert len(set(last)) == 1
        assert viewer.metric(WATCHERS) == 50
    assert viewer.metric(DRAWN) - before == 11
    wait_until(lambda: viewer.metric(WATCHERS) == 0)


def test_nothing_is_drawn_while_nobody_watches(viewer: RunningViewer, camera: MakeCamera) -> None:
    hall = camera("hall", face("sam", "Sam"))
    for _ in range(40):
        hall.send()
    wait_until(lambda: viewer.metric("facestream_frames_in_total") == 40)
    viewer.state()
    assert viewer.metric(DRAWN) == 0


def test_a_browser_that_reads_nothing_does_not_hold_up_the_others(
    viewer: RunningViewer, camera: MakeCamera
) -> None:
    hall = camera("hall", face("sam", "Sam"))
    hall.send()
    wait_until(lambda: known(viewer, "hall"))
    stuck = [StuckBrowser(f"{viewer.url}/stream/hall.mjpg") for _ in range(5)]
    with watching(f"{viewer.url}/stream/hall.mjpg") as frames:
        next(frames)
        for _ in range(120):
            hall.send()
            next(frames)
        sent_bytes = 120 * len(hall.jpegs[0])
        behind = stuck[0].read_for(3)
    # What the stuck one gets at last is what fitted into the sockets, not what was missed.
    assert 0 < len(behind) < sent_bytes / 2
    for browser in stuck:
        browser.close()


def test_a_late_frame_and_one_read_twice_are_never_shown_backwards(
    viewer: RunningViewer, camera: MakeCamera
) -> None:
    hall = camera("hall")
    hall.send(seq=10)
    wait_until(lambda: known(viewer, "hall"))
    with watching(f"{viewer.url}/stream/hall.mjpg") as frames:
        first = next(frames)
        hall.send(seq=9, late=True)
        hall.send(seq=10)
        hall.send(seq=8)
        hall.send(seq=11)
        second = next(frames)
    assert first == hall.jpegs[0]
    assert second == hall.jpegs[4]


@pytest.mark.parametrize("viewer", [{}], indirect=True)
def test_a_camera_that_stops_says_so_in_its_stream_and_comes_back(
    viewer: RunningViewer, camera: MakeCamera
) -> None:
    hall = camera("hall")
    hall.send()
    wait_until(lambda: known(viewer, "hall"))
    with watching(f"{viewer.url}/stream/hall.mjpg") as frames:
        hall.send()
        live = next(frames)
        if live != hall.jpegs[1]:
            live = next(frames)
        dark = decode(next(frames))
        assert dark.mean() < decode(live).mean() * 0.7
        assert viewer.state()["cameras"][0]["stale"]
        hall.send()
        assert next(frames) == hall.jpegs[2]
        assert not viewer.state()["cameras"][0]["stale"]


def test_size_and_rate_are_the_browsers_choice(viewer: RunningViewer, camera: MakeCamera) -> None:
    hall = camera("hall", face("sam", "Sam"))
    with playing(hall, fps=25):
        wait_until(lambda: known(viewer, "hall"))
        with watching(f"{viewer.url}/stream/hall.mjpg?w=320&fps=5") as frames:
            assert jpeg_size(next(frames)) == (320, 180)
            began_s = time.monotonic()
            for _ in range(10):
                next(frames)
            took_s = time.monotonic() - began_s
    assert took_s > 1.7


def test_one_connection_carries_many_cameras(viewer: RunningViewer, camera: MakeCamera) -> None:
    cameras = [camera(f"cam{number}") for number in range(8)]
    with playing(*cameras, fps=5):
        wait_until(lambda: known(viewer, *(each.name for each in cameras)))
        query = "&".join(f"camera={each.name}" for each in cameras)
        counts = dict.fromkeys((each.name for each in cameras), 0)
        with httpx.stream("GET", f"{viewer.url}/live?{query}") as answer:
            buffer, chunks = b"", answer.iter_raw()
            while min(counts.values()) < 3:
                while b"\n" not in buffer:
                    buffer += next(chunks)
                line, _, buffer = buffer.partition(b"\n")
                head = json.loads(line)
                while len(buffer) < head["bytes"]:
                    buffer += next(chunks)
                jpeg, buffer = buffer[: head["bytes"]], buffer[head["bytes"] :]
                assert jpeg_size(jpeg) == CLIP_SIZE
                assert head["live"]
                counts[head["name"]] += 1
    assert max(counts.values()) - min(counts.values()) <= 2


def test_it_stops_with_browsers_connected(viewer: RunningViewer, camera: MakeCamera) -> None:
    hall = camera("hall", face("sam", "Sam"))
    with playing(hall), ThreadPoolExecutor(10) as pool:
        wait_until(lambda: known(viewer, "hall"))
        stuck = StuckBrowser(f"{viewer.url}/stream/hall.mjpg")
        connected = threading.Barrier(11)

        def watch() -> int:
            with watching(f"{viewer.url}/stream/hall.mjpg") as frames:
                next(frames)
                connected.wait(60)
                return sum(1 for _ in frames)

        streams = [pool.submit(watch) for _ in range(10)]
        connected.wait(60)
        assert viewer.stop() == 0
        for stream in streams:
            stream.result(timeout=60)
        stuck.close()


def test_without_kafka_the_page_is_served_says_so_and_stops() -> None:
    port = free_port()
    env = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "VIEWER_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli.main", "viewer"], env={**os.environ, **env}
    )
    url = f"http://127.0.0.1:{port}/api/state.json"

    def answers() -> bool:
        try:
            return httpx.get(url).json() is not None
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, 60)
        assert httpx.get(url).json()["ready"] is False
        process.terminate()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()


def test_an_address_in_use_is_one_line_and_exit_two() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "services.cli.main", "viewer"],
            env={**os.environ, "VIEWER_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert ended.returncode == 2
    last = ended.stderr.strip().splitlines()[-1]
    assert last == (
        f"facestream viewer: VIEWER_PORT={port}: 127.0.0.1:{port}: Address already in use"
    )


def test_hostile_records_become_dead_letters_and_the_frames_between_them_are_shown(
    viewer: RunningViewer, settings: ViewerSettings, producer: Producer, camera: MakeCamera
) -> None:
    hall = camera("hall")
    topic = settings.topic_identified
    hostile: list[tuple[bytes, list[tuple[str, bytes]]]] = [
        (b"", []),
        (b"\x00\xff" * 500, []),
        (hall.jpegs[0][:400], []),
        (hall.jpegs[0], []),
        (hall.jpegs[0], [("faces", b"{")]),
        (hall.jpegs[0], [("faces", b'{"frame": {"camera": "../../etc"}}')]),
        (hall.jpegs[0], [("faces", b"\xff\xfe")]),
        (b"\xff\xd8\xff\xc0\x00\x11\x08\x75\x30\x75\x30\x03" + bytes(20) + b"\xff\xd9", []),
        (b"x" * 5_000_000, [("faces", b"{}")]),
    ]
    for value, headers in hostile:
        producer.produce(topic, value=value, headers=list(headers), key=b"hall")
        hall.send()
    wait_until(lambda: viewer.metric("facestream_frames_in_total") == len(hostile))
    consumer = make_consumer(settings, f"{topic}-check")
    consumer.subscribe([f"{topic}.dlq"])
    reasons: list[object] = []
    until_s = time.monotonic() + 60
    while len(reasons) < len(hostile) and time.monotonic() < until_s:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            reasons.append(dict(message.headers() or [])["dlq-reason"])
    consumer.close()
    assert len(reasons) == len(hostile)
    assert {b"empty", b"not-a-jpeg", b"truncated-jpeg", b"bad-header", b"too-many-pixels"} <= {
        reason for reason in reasons if isinstance(reason, bytes)
    }
    assert viewer.metric("facestream_viewer_drawn_frames_total") == 0
