"""The identifier as the process a container runs: settings, signals, enrolment while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Producer

from services.broker.memory import MemoryBroker
from services.models.analysis import FaceAnalyser
from services.records.embeddings import Embedding
from services.records.facestream_pb2 import IdentifiedFrame, ProcessedFrame
from tests.pipeline import Services, identified_frames, read_all, reading, services
from tests.processed import processed
from tests.waiting import eventually


@pytest.fixture
def portraits(test_data: Path) -> Path:
    return test_data / "clip_hamilton" / "ref"


@pytest.fixture
def run(memory_broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Services]:
    with services(memory_broker, topic_prefix, tmp_path / "run") as running:
        yield running


def recogniser(analyser: FaceAnalyser) -> str:
    return next(file.sha256 for file in analyser.model_files if file.role == "recogniser")


def face_of(analyser: FaceAnalyser, enroller_photo: bytes) -> Embedding:
    from identifier.photos import read_photo

    pixels = read_photo(enroller_photo, max_bytes=10**8, max_pixels=10**8).pixels
    return analyser.analyse_photo(pixels)[0].embedding


class Feed:
    """Publishes frames of one camera that show one face."""

    def __init__(self, run: Services, face: Embedding, analyser: FaceAnalyser) -> None:
        self._topic = run.env["TOPIC_PROCESSED"]
        self._producer = Producer(
            {"bootstrap.servers": run.env["KAFKA_BOOTSTRAP_SERVERS"], "enable.idempotence": True}
        )
        self._face, self._recogniser = face, recogniser(analyser)
        self.seq = 0

    def send(self, count: int = 1) -> None:
        for _ in range(count):
            frame: ProcessedFrame = processed(
                self.seq, [self._face], source="live:device", recogniser=self._recogniser
            )
            self._producer.produce(self._topic, value=frame.SerializeToString(), key=b"door")
            self.seq += 1
        assert self._producer.flush(10) == 0


def all_identified(run: Services, topic: str = "") -> list[IdentifiedFrame]:
    bootstrap = run.env["KAFKA_BOOTSTRAP_SERVERS"]
    return identified_frames(read_all(bootstrap, topic or run.env["TOPIC_IDENTIFIED"]))


def test_a_person_enrolled_over_http_is_named_from_the_next_frame_on(
    run: Services, portraits: Path, analyser: FaceAnalyser
) -> None:
    photo = (portraits / "lin_manuel_miranda.png").read_bytes()
    feed = Feed(run, face_of(analyser, photo), analyser)
    run.start("identifier")
    run.ready()
    with reading(run.env["KAFKA_BOOTSTRAP_SERVERS"], run.env["TOPIC_IDENTIFIED"]) as reader:
        feed.send(3)
        reader.until(3)
        address = f"http://127.0.0.1:{run.env['API_PORT']}/api/v1/people/Lin/faces"
        answer = httpx.post(address, files={"file": photo}, timeout=60)
        assert answer.status_code == 201, answer.text
        feed.send(3)
        reader.until(6)
    assert [f.faces[0].name for f in all_identified(run)] == [""] * 3 + ["Lin"] * 3
    of_lin = all_identified(run, f"{run.env['TOPIC_PERSON_PREFIX']}lin")
    assert [frame.frame.seq for frame in of_lin] == [3, 4, 5]


def test_people_of_the_folder_are_enrolled_before_it_is_ready_and_changes_follow(
    run: Services, portraits: Path, analyser: FaceAnalyser, tmp_path: Path
) -> None:
    folder = tmp_path / "people"
    folder.mkdir()
    photo = (portraits / "alex_lacamoire.png").read_bytes()
    (folder / "Alex.png").write_bytes(photo)
    feed = Feed(run, face_of(analyser, photo), analyser)
    run.start("identifier", PEOPLE_DIR=str(folder))
    run.ready()
    feed.send(3)
    with reading(run.env["KAFKA_BOOTSTRAP_SERVERS"], run.env["TOPIC_IDENTIFIED"]) as reader:
        reader.until(3)
        (folder / "Alex.png").unlink()

        def forgotten() -> bool:
            feed.send()
            last = reader.until(feed.seq)[-1]
            return identified_frames([last])[0].faces[0].name == ""

        eventually(forgotten, 60, "Alex is forgotten")
    assert all_identified(run)[0].faces[0].name == "Alex"


def test_a_picture_and_a_name_identify_that_person_on_a_processed_stream_and_nothing_else(
    run: Services, portraits: Path, analyser: FaceAnalyser, tmp_path: Path
) -> None:
    photo = portraits / "lin_manuel_miranda.png"
    feed = Feed(run, face_of(analyser, photo.read_bytes()), analyser)
    feed.send(5)  # the stream is there already
    child = run.start("identifier", PERSON="Sam", REFERENCE=str(photo))
    run.ready()
    topic = f"{run.env['TOPIC_PERSON_PREFIX']}sam"
    with reading(run.env["KAFKA_BOOTSTRAP_SERVERS"], topic) as reader:
        reader.until(5)
    named = all_identified(run, topic)
    assert [(f.frame.seq, f.faces[0].name) for f in named] == [(n, "Sam") for n in range(5)]
    assert not (Path(run.env["DATA_DIR"]) / "facestream.db").exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{run.env['API_PORT']}/api/v1/health")
    assert all_identified(run) == []
    assert child.status is None


def test_sigterm_commits_leaves_and_exits_0_and_the_next_start_repeats_nothing(
    run: Services, portraits: Path, analyser: FaceAnalyser
) -> None:
    photo = (portraits / "alex_lacamoire.png").read_bytes()
    feed = Feed(run, face_of(analyser, photo), analyser)
    for _ in range(2):
        child = run.start("identifier")
        run.ready(child)
        feed.send(10)
        with reading(run.env["KAFKA_BOOTSTRAP_SERVERS"], run.env["TOPIC_IDENTIFIED"]) as reader:
            reader.until(feed.seq)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGTERM)
        eventually(lambda: child.status is not None, 60, "the identifier ends")  # noqa: B023
        assert child.status == 0, child.last_words()
    assert [f.frame.seq for f in all_identified(run)] == list(range(20))


@pytest.mark.kafka
def test_an_identifier_killed_midway_costs_no_frame(
    kafka: str, topic_prefix: str, tmp_path: Path, portraits: Path, analyser: FaceAnalyser
) -> None:
    photo = (portraits / "alex_lacamoire.png").read_bytes()
    env = {"KAFKA_SESSION_TIMEOUT_MS": "1000", "GROUP_ID": f"{topic_prefix}identifier"}
    with services(kafka, topic_prefix, tmp_path, **env) as run:
        victim = run.start("identifier", "victim")
        run.ready()
        feed = Feed(run, face_of(analyser, photo), analyser)
        with reading(kafka, run.env["TOPIC_IDENTIFIED"]) as reader:
            feed.send(300)
            reader.until(20)
            run.kill(victim)
            feed.send(100)
            run.start("identifier")
            eventually(
                lambda: {f.frame.seq for f in all_identified(run)} == set(range(400)),
                60,
                "every frame was identified",
            )


def test_sigterm_ends_it_when_the_broker_is_gone(
    topic_prefix: str, tmp_path: Path, portraits: Path, analyser: FaceAnalyser
) -> None:
    with (
        MemoryBroker() as broker,
        services(broker.bootstrap_servers, topic_prefix, tmp_path) as run,
    ):
        photo = (portraits / "alex_lacamoire.png").read_bytes()
        child = run.start("identifier")
        run.ready()
        feed = Feed(run, face_of(analyser, photo), analyser)
        feed.send(10)
        with reading(broker.bootstrap_servers, run.env["TOPIC_IDENTIFIED"]) as reader:
            reader.until(10)
        broker.stop()
        assert child.pid is not None
        os.kill(child.pid, signal.SIGTERM)
        eventually(lambda: child.status is not None, 60, "the identifier ends")
        assert child.status == 0, child.last_words()


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"THRESHOLD": "7"}, "THRESHOLD='7'"),
        ({"API_HOST": "0.0.0.0"}, "set API_TOKEN"),  # noqa: S104
        ({"PERSON": "Sam"}, "PERSON and REFERENCE"),
        ({"PERSON": "Sam", "REFERENCE": "/nowhere/sam.jpg"}, "REFERENCE=/nowhere/sam.jpg"),
        ({"DATABASE_URL": "mysql://u:secret@h/d"}, "mysql is not supported"),
    ],
)
def test_a_wrong_setting_ends_it_with_one_line(
    env: dict[str, str], says: str, memory_broker: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "services.cli.main", "identifier"],
        env=os.environ
        | {"KAFKA_BOOTSTRAP_SERVERS": memory_broker, "DATA_DIR": str(tmp_path), "API_PORT": "0"}
        | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    last = ended.stderr.strip().splitlines()[-1]
    assert says in last
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stderr
