"""Pictures that are pushed: over a real socket, into a broker."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from producer.ingest.pushes import Pushes
from producer.ingest.server import IngestServer
from producer.names import Names
from producer.publisher import LivePublisher
from producer.settings import ProducerSettings
from services.cli.children import free_port
from services.errors import SettingsError
from services.kafka.topics import ensure_topics
from services.records.frames import FrameMeta, from_message
from services.records.jpeg import jpeg_size
from tests.conftest import require_or_skip
from tests.pipeline import read_all
from tests.unit.producer.mjpeg import picture

JPEG = {"Content-Type": "image/jpeg"}
EVERYWHERE = "0.0.0.0"  # noqa: S104 - the test is about it
NOWHERE = "127.0.0.1:1"
TOKEN = "correct horse battery staple"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Door:
    """An ingest on a broker of its own."""

    def __init__(self, settings: ProducerSettings, at_exit: ExitStack) -> None:
        if settings.kafka_bootstrap_servers != NOWHERE:
            ensure_topics(settings, [settings.topic_raw])
        self._settings = settings
        self._publisher = LivePublisher(settings)
        at_exit.callback(self._publisher.close, 1)
        self.clock = Clock()
        self.names = Names(["hall"])
        pushes = Pushes(
            self._publisher,
            self.names,
            settings.ingest_max_cameras,
            settings.fps,
            clock=self.clock,
        )
        self.server = IngestServer(settings, pushes)
        self.server.start()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.server.port}")
        at_exit.callback(self.server.close)
        at_exit.callback(self.client.close)

    def push(
        self, camera: str = "door", jpeg: bytes | None = None, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = picture() if jpeg is None else jpeg
        return self.client.post(f"/push/{camera}", content=content, headers=JPEG | named)

    def frames(self) -> list[tuple[FrameMeta, bytes]]:
        """What is in the topic."""
        assert self._publisher.close(10) == 0
        messages = read_all(self._settings.kafka_bootstrap_servers, self._settings.topic_raw)
        values = [(message, message.value() or b"") for message in messages]
        found = [(from_message(m, jpeg_size(value)), value) for m, value in values]
        return sorted(found, key=lambda pair: (pair[0].camera, pair[0].session, pair[0].seq))


Open = Callable[..., Door]


@pytest.fixture
def open_door(memory_broker: str, topic_prefix: str) -> Iterator[Open]:
    """Opens an ingest: `open_door(INGEST_TOKEN="...")`."""
    with ExitStack() as at_exit:

        def open_one(**env: str) -> Door:
            known = {
                "KAFKA_BOOTSTRAP_SERVERS": memory_broker,
                "TOPIC_RAW": f"{topic_prefix}frames.raw",
                "INGEST_PORT": str(free_port()),
            }
            return Door(ProducerSettings.load(env=known | env), at_exit)

        yield open_one


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["reason"]


def test_a_pushed_picture_is_a_frame_byte_for_byte(open_door: Open, broker: str) -> None:
    door = open_door(KAFKA_BOOTSTRAP_SERVERS=broker)
    before = datetime.now(UTC)
    jpegs = [picture(number) for number in range(5)]
    for number, jpeg in enumerate(jpegs):
        answer = door.push(jpeg=jpeg)
        assert (answer.status_code, answer.json()) == (202, {"seq": number})
    frames = door.frames()
    assert [jpeg for _, jpeg in frames] == jpegs
    metas = [meta for meta, _ in frames]
    assert [meta.seq for meta in metas] == list(range(5))
    assert {(m.camera, m.source, m.width, m.height) for m in metas} == {
        ("door", "live:push", 64, 48)
    }
    (session,) = {meta.session for meta in metas}
    assert str(UUID(session)) == session
    assert all(before <= meta.captured_at <= datetime.now(UTC) for meta in metas)


def test_the_command_in_the_docs_works(open_door: Open, tmp_path: Path) -> None:
    door = open_door()
    (tmp_path / "frame.jpg").write_bytes(picture())
    curl = shutil.which("curl")
    require_or_skip(curl is not None, "no curl: apt-get install curl")
    address = f"http://127.0.0.1:{door.server.port}/push/door"
    command = ["curl", "-s", "--data-binary", f"@{tmp_path}/frame.jpg"]
    command += ["-H", "Content-Type: image/jpeg", address]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    assert said.stdout == '{"seq":0}'


def test_a_time_near_ours_is_taken_and_any_other_is_not(open_door: Open) -> None:
    door = open_door()
    near = datetime.now(UTC) - timedelta(seconds=3)
    far = datetime.now(UTC) - timedelta(days=3)
    door.push(X_Captured_At=near.isoformat())
    door.push(X_Captured_At=far.isoformat())
    assert problem(door.push(X_Captured_At="yesterday")) == (400, "bad-time")
    assert problem(door.push(X_Captured_At="2026-01-01T00:00:00")) == (400, "bad-time")
    first, second = (meta.captured_at for meta, _ in door.frames())
    assert first == near
    assert datetime.now(UTC) - second < timedelta(minutes=1)


def test_a_second_pusher_waits_until_the_first_is_silent(open_door: Open) -> None:
    door = open_door()
    one, two = str(uuid4()), str(uuid4())
    assert door.push(X_Session=one).json() == {"seq": 0}
    assert problem(door.push(X_Session=two)) == (409, "another-pusher")
    door.clock.now_s += 2.9
    assert door.push(X_Session=one).json() == {"seq": 1}
    door.clock.now_s += 2.9
    assert problem(door.push(X_Session=two)) == (409, "another-pusher")
    door.clock.now_s += 0.2
    assert door.push(X_Session=two).json() == {"seq": 0}
    assert problem(door.push(X_Session=one)) == (409, "another-pusher")
    assert problem(door.push(X_Session="me")) == (400, "bad-session")
    metas = [meta for meta, _ in door.frames()]
    assert len({meta.session for meta in metas}) == 2


def test_after_a_silence_numbers_begin_anew_in_a_session_never_used_before(
    open_door: Open,
) -> None:
    door = open_door()
    session = str(uuid4())
    assert [door.push(X_Session=session).json()["seq"] for _ in range(2)] == [0, 1]
    door.clock.now_s += 29
    assert door.push(X_Session=session).json() == {"seq": 2}
    door.clock.now_s += 30
    assert door.push(X_Session=session).json() == {"seq": 0}
    metas = [meta for meta, _ in door.frames()]
    assert len({(meta.session, meta.seq) for meta in metas}) == 4
    assert len({meta.session for meta in metas}) == 2


def test_what_is_no_picture_is_refused(open_door: Open) -> None:
    door = open_door(KAFKA_MAX_MESSAGE_BYTES="1048576")
    whole = picture()
    assert problem(door.push(jpeg=b"")) == (400, "empty")
    assert problem(door.push(jpeg=b"no picture")) == (400, "not-a-jpeg")
    assert problem(door.push(jpeg=whole[: len(whole) // 2])) == (400, "truncated-jpeg")
    assert problem(door.push(jpeg=whole + bytes(1_048_576))) == (413, "too-many-bytes")
    huge = bytearray(picture())
    at = huge.index(b"\xff\xc0") + 5
    huge[at : at + 4] = b"\xff\xff\xff\xff"
    assert problem(door.push(jpeg=bytes(huge))) == (413, "too-many-pixels")
    png = door.client.post("/push/door", content=whole, headers={"Content-Type": "image/png"})
    assert problem(png) == (415, "unsupported-format")

    def chunks() -> Iterator[bytes]:
        yield whole

    streamed = door.client.post("/push/door", content=chunks(), headers=JPEG)
    assert problem(streamed) == (411, "length-required")
    assert problem(door.client.get("/push/door")) == (405, "method-not-allowed")
    assert problem(door.client.post("/elsewhere")) == (404, "not-found")
    assert door.push().json() == {"seq": 0}
    assert len(door.frames()) == 1


def test_a_name_that_is_another_cameras_is_refused(open_door: Open) -> None:
    door = open_door()
    door.names.assigned = frozenset({"gate"})
    door.names.elsewhere = frozenset({"yard"})
    for name in ("hall", "gate", "yard"):
        assert problem(door.push(name)) == (409, "name-taken")
    for name in ("a%20b", "..", "a%2Fb", "x" * 65):
        assert door.push(name).status_code in (400, 404)
    assert door.frames() == []


def test_only_so_many_cameras_push_at_a_time(open_door: Open) -> None:
    door = open_door(INGEST_MAX_CAMERAS="2")
    assert door.push("a").status_code == 202
    assert door.push("b").status_code == 202
    answer = door.push("c")
    assert problem(answer) == (429, "too-many-cameras")
    assert answer.headers["retry-after"]
    door.clock.now_s += 30
    assert door.push("a").status_code == 202
    assert problem(door.push("c")) == (429, "too-many-cameras")
    door.clock.now_s += 31
    assert door.push("c").status_code == 202


def test_who_pushes_is_listed_until_a_minute_after(open_door: Open) -> None:
    door = open_door()
    for _ in range(11):
        door.push()
        door.clock.now_s += 0.2
    (shown,) = door.client.get("/push").json()["cameras"]
    assert (shown["name"], shown["kind"], shown["pushed"]) == ("door", "push", True)
    assert (shown["state"], shown["frames"], shown["drops"]) == ("running", 11, 0)
    assert 4 < shown["fps"] < 6
    assert door.names.pushed == {"door"}
    door.clock.now_s += 15
    (shown,) = door.client.get("/push").json()["cameras"]
    assert (shown["state"], shown["fps"]) == ("lost", 0)
    door.clock.now_s += 60
    assert door.client.get("/push").json() == {"cameras": []}
    assert door.names.pushed == frozenset()


def test_the_limits_of_the_process_hold_for_pushed_frames(open_door: Open) -> None:
    door = open_door(MAX_SIDE="32", FPS="5")
    numbers = []
    for _ in range(20):
        numbers.append(door.push().json()["seq"])
        door.clock.now_s += 0.1
    taken = [number for number in numbers if number is not None]
    assert taken == list(range(len(taken)))
    assert 9 <= len(taken) <= 11
    assert {(meta.width, meta.height) for meta, _ in door.frames()} == {(32, 24)}


def test_while_kafka_is_away_the_oldest_frames_are_dropped_and_counted(open_door: Open) -> None:
    door = open_door(KAFKA_BOOTSTRAP_SERVERS=NOWHERE, LIVE_QUEUE_FRAMES="10")
    numbers = [door.push("roof").json()["seq"] for _ in range(60)]
    assert numbers == list(range(60))
    (shown,) = door.client.get("/push").json()["cameras"]
    assert shown["drops"] >= 60 - 10 - 16


def test_with_a_token_nobody_pushes_without_it(open_door: Open) -> None:
    door = open_door(INGEST_TOKEN=TOKEN, INGEST_HOST=EVERYWHERE)
    assert problem(door.push()) == (401, "no-token")
    assert problem(door.push(Authorization="Bearer wrong horse")) == (401, "no-token")
    assert problem(door.client.get("/push")) == (401, "no-token")
    assert door.push(Authorization=f"Bearer {TOKEN}").status_code == 202
    assert door.push(Authorization=f"bearer {TOKEN}", Host="cams.example").status_code == 202


def test_without_one_it_answers_this_machine_alone(open_door: Open) -> None:
    with pytest.raises(SettingsError, match="is reachable from other machines"):
        open_door(INGEST_HOST=EVERYWHERE)
    door = open_door()
    assert problem(door.push(Host="evil.example")) == (421, "wrong-host")
    assert problem(door.push(Origin="http://evil.example")) == (403, "foreign-origin")
    assert door.push(Origin="http://localhost:5010").status_code == 202


def test_a_port_that_is_taken_is_said_so(open_door: Open) -> None:
    door = open_door()
    with pytest.raises(SettingsError, match=r"INGEST_PORT=\d+"):
        open_door(INGEST_PORT=str(door.server.port))
