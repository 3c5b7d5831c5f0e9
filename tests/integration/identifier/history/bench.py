"""A gallery, a log of faces and a folder of crops, for what looks into the past."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import httpx
from confluent_kafka import Producer
from fastapi import APIRouter, FastAPI
from sqlalchemy import select

from identifier.api.problems import handle_problems
from identifier.api.server import ApiServer
from identifier.gallery.database import Database
from identifier.gallery.store import GalleryStore
from identifier.gallery.values import NewPhoto, PhotoReading
from identifier.history.backfill import Backfills
from identifier.history.jobs import Backfill
from identifier.history.scanner import BackfillConfig
from identifier.memory.media import Media
from identifier.memory.tables import SightingRow
from identifier.snapshot import FixedGallery
from services.kafka.topics import ensure_topics
from services.records.embeddings import Embedding, to_bytes
from services.records.facestream_pb2 import DetectedFace
from tests.pipeline import ToolSettings, topic_env
from tests.processed import RECOGNISER, START, embedding, processed
from tests.waiting import eventually

ALICE, BOB = embedding(1), embedding(2)
CROP = b"\xff\xd8 a crop"


@contextmanager
def api(routes: APIRouter) -> Iterator[httpx.Client]:
    """A client of an API that has these paths, over a socket."""
    app = FastAPI()
    handle_problems(app)
    app.include_router(routes)
    server = ApiServer(app, "127.0.0.1", 0)
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
        yield client
    server.stop()


def photo(name: str, face: Embedding) -> NewPhoto:
    data = f"photo of {name}".encode()
    return NewPhoto(
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        media_type="image/jpeg",
        size_px=(640, 480),
        reading=PhotoReading("buffalo_s", RECOGNISER, "d" * 64, face, 0.9, 120.0, (1, 2, 100, 120)),
    )


def detected(
    seq: int,
    *faces: Embedding,
    camera: str = "door",
    session: str = "s",
    source: str = "live:file",
    step_s: float = 0.1,
    crop: bytes = CROP,
) -> list[DetectedFace]:
    """The records of one frame; frames are a tenth of a second apart."""
    frame = processed(seq, faces, camera=camera, session=session, source=source)
    frame.frame.captured_at.FromDatetime(START + timedelta(seconds=seq * step_s))
    return [
        DetectedFace(frame=frame.frame, index=at, face=face, crop=crop, models=frame.models)
        for at, face in enumerate(frame.faces)
    ]


@dataclass
class Bench:
    """Everything a backfill needs, as one identifier has it."""

    settings: ToolSettings
    database: Database
    store: GalleryStore
    crops: Media
    crops_dir: Path
    producer: Producer
    started: list[Backfills] = field(default_factory=list)

    def enrol(self, name: str, face: Embedding) -> str:
        """Add a person with one photo; gives the slug."""
        return self.store.add(name, photo(name, face)).person.slug

    def log(
        self, *frames: list[DetectedFace], partition: int = 0, at_s: float | None = None
    ) -> None:
        """Publish frames' faces; the records' time is the frames' own, or `at_s` seconds on."""
        for frame in frames:
            for record in frame:
                taken = record.frame.captured_at.ToMilliseconds()
                logged = taken if at_s is None else int(START.timestamp() * 1000 + at_s * 1000)
                self.producer.produce(
                    self.settings.topic_detected,
                    value=record.SerializeToString(),
                    key=record.frame.camera.encode(),
                    partition=partition,
                    timestamp=logged,
                )
        assert self.producer.flush(20) == 0

    def backfills(
        self, busy: Callable[[], bool] = lambda: False, config: BackfillConfig | None = None
    ) -> Backfills:
        """An identifier's backfills, with the gallery as it is now; not begun."""
        made = Backfills(
            self.database,
            self.settings,
            config or self.config(),
            FixedGallery(self.store.snapshot()),
            self.crops,
            lambda _pack: 0.33,
            busy,
        )
        self.started.append(made)
        return made

    def config(self, **changes: float | int) -> BackfillConfig:
        """Quick to look for work, and never at rest."""
        quick = BackfillConfig(
            topic=self.settings.topic_detected, duty=1.0, duty_busy=1.0, look_s=0.05
        )
        return replace(quick, **changes)  # type: ignore[arg-type]

    def run(self, slug: str, since_s: float = -60) -> Backfill:
        """A whole backfill, to its end."""
        backfills = self.backfills()
        started = backfills.start(slug, START + timedelta(seconds=since_s))
        assert started is not None
        backfills.begin()
        ended = self.ended(backfills, started.id)
        backfills.close()
        return ended

    @staticmethod
    def ended(backfills: Backfills, backfill_id: str) -> Backfill:
        def now() -> Backfill:
            found = backfills.get(backfill_id)
            assert found is not None
            return found

        eventually(lambda: now().ended_at is not None, 60, "the backfill ends")
        return now()

    def sightings(self) -> list[SightingRow]:
        with self.database.reading() as session:
            return list(
                session.scalars(
                    select(SightingRow).order_by(SightingRow.started_at, SightingRow.id)
                )
            )

    def crop_keys(self) -> set[str]:
        """Of every crop there is."""
        files = self.crops_dir.rglob("*.*")
        return {file.relative_to(self.crops_dir).as_posix() for file in files}

    def add(self, row: SightingRow) -> None:
        with self.database.writing() as session:
            session.add(row)


def row(
    sighting_id: str, face: Embedding, first_seq: int, last_seq: int, **changes: object
) -> SightingRow:
    """A live sighting of an unnamed face, of frames a tenth of a second apart."""
    values: dict[str, object] = {
        "id": sighting_id,
        "camera": "door",
        "session": "s",
        "person_id": None,
        "unknown_id": None,
        "found_by": "live",
        "started_at": START + timedelta(seconds=first_seq / 10),
        "last_at": START + timedelta(seconds=last_seq / 10),
        "ended": True,
        "first_seq": first_seq,
        "last_seq": last_seq,
        "frames": last_seq - first_seq + 1,
        "quality": 0.9,
        "embedding": to_bytes(face),
        "last_x": 4.0,
        "last_y": 5.0,
        "last_width": 20.0,
        "last_height": 24.0,
        "best_seq": first_seq,
        "best_at": START + timedelta(seconds=first_seq / 10),
        "best_score": 0.9,
        "x": 4.0,
        "y": 5.0,
        "width": 20.0,
        "height": 24.0,
        "frame_width": 64,
        "frame_height": 48,
        "raw_topic": "frames.raw",
        "raw_partition": 0,
        "raw_offset": -1,
        "pack": "buffalo_s",
        "recogniser_sha256": RECOGNISER,
        "model_files": "[]",
    }
    return SightingRow(**(values | changes))


def a_bench(kafka: str, prefix: str, database: Database, tmp_path: Path) -> Iterator[Bench]:
    """A bench with topics of its own."""
    variables = topic_env(prefix) | {
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "TOPIC_PARTITIONS": "2",
        "RETENTION_FACES_H": "87600",  # the records' times are long past
        "RETENTION_FRAMES_H": "8760",
    }
    settings = ToolSettings.load(env=variables)
    ensure_topics(settings, [settings.topic_raw, settings.topic_detected])
    crops = tmp_path / "crops"
    made = Bench(
        settings,
        database,
        GalleryStore(database),
        Media(str(crops)),
        crops,
        Producer({"bootstrap.servers": kafka, "enable.idempotence": True}),
    )
    yield made
    for backfills in made.started:
        backfills.close()
