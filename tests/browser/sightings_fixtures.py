"""An identifier's memory with sightings in it, served as the identifier serves it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from confluent_kafka import Producer
from sqlalchemy import select

from identifier.access.tokens import Tokens
from identifier.access.users import Users
from identifier.api.access import access_routes
from identifier.api.app import make_app
from identifier.api.events import EventFeed, event_routes
from identifier.api.explain import explain_routes
from identifier.api.guard import Access
from identifier.api.people import people_routes
from identifier.api.server import ApiServer
from identifier.api.sightings import sighting_routes
from identifier.api.unknowns import unknown_routes
from identifier.enrolment import Enroller, EnrolmentLimits
from identifier.gallery.database import Database, sqlite_url
from identifier.gallery.reembedding import Reembedding
from identifier.gallery.store import GalleryStore
from identifier.gallery.values import NewPhoto, PhotoReading
from identifier.gallery.watcher import GalleryWatcher
from identifier.history.explain import Explainer
from identifier.history.raw_frames import RawFrames
from identifier.memory.events import EventLog
from identifier.memory.media import Media
from identifier.memory.sightings import Sightings
from identifier.memory.tables import SightingRow
from identifier.memory.writing import SightingWriter
from identifier.people import People
from identifier.tracks.values import Decision, TrackState
from identifier.unknowns.clusters import unknown_rules
from identifier.unknowns.store import Unknowns
from services.kafka.clients import make_producer
from services.lifecycle.health import Health
from services.models.analysis import FaceAnalyser
from services.records.frames import FrameMeta, raw_key, to_headers
from tests.footage import CLIP_SIZE
from tests.integration.identifier.unknowns.strangers import RECOGNISER, face, track
from tests.integration.viewer.conftest import RunningViewer
from tests.pipeline import ToolSettings

SESSION = "11111111-2222-3333-4444-555555555555"
# Where two people are in this frame of the clip, at 640 x 360.
FRAME = 59
BOXES: dict[str, tuple[float, float, float, float]] = {
    "left": (207, 81, 55, 80),
    "right": (468, 143, 57, 98),
}
_LIMITS = EnrolmentLimits(min_face_px=40, min_score=0.5, max_bytes=9_000_000, max_pixels=9_000_000)


@dataclass
class Past:
    """What was seen, and an API that tells of it.

    Attributes:
        url: of the API.
        photos: id of the reference photo, by slug.
        jpegs: frames to cut faces from.
    """

    database: Database
    writer: SightingWriter
    producer: Producer
    topic: str
    store: GalleryStore
    jpegs: list[bytes]
    url: str = ""
    photos: dict[str, str] = field(default_factory=dict)

    def enrol(self, name: str, number: int, photo: bytes) -> str:
        """Add a person with one photo, whose face is the made-up one of that number."""
        reading = PhotoReading(
            "buffalo_s", RECOGNISER, "d" * 64, face(number), 0.9, 120.0, (1, 2, 100, 120)
        )
        new = NewPhoto(
            data=photo,
            sha256="77ab" * 16,
            media_type="image/jpeg",
            size_px=CLIP_SIZE,
            reading=reading,
        )
        added = self.store.add(name, new)
        self.photos[added.person.slug] = added.photo.id
        return added.person.slug

    def log_frame(self, number: int, camera: str, at: datetime) -> int:
        """Publish a raw frame; its offset."""
        meta = FrameMeta(camera, SESSION, number, at, *CLIP_SIZE, "live:file")
        offsets: list[int] = []
        self.producer.produce(
            self.topic,
            value=self.jpegs[FRAME],
            key=raw_key(meta),
            headers=dict(to_headers(meta)),
            partition=0,
            on_delivery=lambda _, message: offsets.append(message.offset() or 0),
        )
        assert self.producer.flush(20) == 0
        return offsets[0]

    def see(
        self,
        key: str,
        at: datetime,
        *,
        of: int = 1,
        camera: str = "hall",
        seconds: float = 20,
        slug: str = "",
        name: str = "",
        similarity: float = 0.71,
        where: str = "left",
        offset: int = 999_999,
        ended: bool = True,
    ) -> TrackState:
        """A track, to be written with `write`."""
        decision = None
        if slug:
            photo = self.photos.get(slug, "f" * 32)
            decision = Decision(slug, name, similarity, similarity - 0.07, 0.33, photo, "1-7")
        state = track(key, face(of), camera=camera, at=at, ended=ended, decision=decision)
        models = state.models
        del models.files[:]
        models.files.add(role="detector", name="scrfd_500m_bnkps.onnx", sha256="b" * 64)
        models.files.add(role="recogniser", name="w600k_mbf.onnx", sha256=RECOGNISER)
        best = replace(
            state.best,
            jpeg=self.jpegs[FRAME],
            box_px=BOXES[where],
            frame_size_px=CLIP_SIZE,
            seq=4,
            captured_at=at,
            raw_topic=self.topic,
            raw_offset=offset,
        )
        return replace(
            state,
            session=SESSION,
            last_at=at + timedelta(seconds=seconds),
            frames=max(1, round(seconds * 10)),
            last_seq=round(seconds * 10),
            best=best,
        )

    def write(self, *states: TrackState) -> list[str]:
        """Write tracks as the identifier does; their ids."""
        self.writer.write(states)
        return [state.id for state in states]

    def write_many(self, count: int, until: datetime, every: timedelta) -> None:
        """Copies of the newest sighting without a picture, back in time; quick."""
        with self.database.writing() as session:
            row = session.scalars(
                select(SightingRow).order_by(SightingRow.started_at.desc()).limit(1)
            ).one()
            columns = {
                column.name: getattr(row, column.name)
                for column in SightingRow.__table__.columns
                if column.name not in ("id", "crop", "started_at", "last_at", "camera")
            }
            for n in range(count):
                at = until - n * every
                session.add(
                    SightingRow(
                        id=f"{n:032x}",
                        crop="",
                        camera=("gate", "yard", "hall")[n % 3],
                        started_at=at,
                        last_at=at + timedelta(seconds=5 + n % 40),
                        **columns,
                    )
                )


@contextmanager
def served_past(bootstrap: str, prefix: str, folder: Path, jpegs: list[bytes]) -> Iterator[Past]:
    """An empty memory in a folder, its API on a free port of loopback."""
    settings = ToolSettings.load(
        [], {"KAFKA_BOOTSTRAP_SERVERS": bootstrap, "TOPIC_RAW": f"{prefix}frames.raw"}
    )
    with ExitStack() as at_exit:
        database = Database(sqlite_url(folder / "gallery"))
        at_exit.callback(database.close)
        store = GalleryStore(database)
        watcher = GalleryWatcher(store, Health())
        enroller = Enroller(lambda: FaceAnalyser.load("buffalo_s", "cpu"), _LIMITS)
        people = People(store, watcher, enroller)
        media = Media(str(folder / "media"))
        unknowns = Unknowns(database, unknown_rules(lambda _: 0.33, None), media, people)
        log = EventLog(database)
        ending = threading.Event()
        past = Past(
            database,
            SightingWriter(database, media, unknowns.assign, unknowns.lock),
            make_producer(settings),
            settings.topic_raw,
            store,
            jpegs,
        )
        reembedding = Reembedding(store.recognisers, enroller, "buffalo_s", Health())
        routers = [
            people_routes(people, reembedding),
            sighting_routes(Sightings(database), media),
            explain_routes(Explainer(database, RawFrames(settings))),
            unknown_routes(unknowns),
            access_routes(Users(database), Tokens(database)),
            event_routes(log, EventFeed(log, ending.is_set)),
        ]
        access = Access.on_loopback("127.0.0.1", None, 1_000_000)
        server = ApiServer(make_app(people, Health(), access, routers), "127.0.0.1", 0)
        server.start()
        past.url = f"http://127.0.0.1:{server.port}"
        yield past
        ending.set()
        server.stop()


@contextmanager
def started(broker: str, past: Past, **env: str) -> Iterator[RunningViewer]:
    """A viewer over that memory, until the end of the block."""
    running = RunningViewer({"KAFKA_BOOTSTRAP_SERVERS": broker, "IDENTIFIER_URL": past.url, **env})
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def an_evening(past: Past, now: datetime) -> dict[str, str]:
    """Ada and Unknown 1 in the hall and at the gate; ids of what is told apart by tests."""
    slug = past.enrol("Ada Lovelace", 1, past.jpegs[20])
    past.enrol("Grace Hopper", 9, past.jpegs[0])
    proved_at = (now - timedelta(minutes=20)).replace(microsecond=0)
    offset = past.log_frame(4, "hall", proved_at)
    ada = {"slug": slug, "name": "Ada Lovelace"}
    proved, gone, stranger, other_day = past.write(
        past.see("proved", proved_at, offset=offset, similarity=0.61, **ada),  # type: ignore[arg-type]
        past.see("gone", now - timedelta(minutes=50), camera="gate", similarity=0.44, **ada),  # type: ignore[arg-type]
        past.see("stranger", now - timedelta(minutes=35), of=5, where="right", seconds=90),
        past.see("day", now - timedelta(days=2), camera="gate", seconds=700, **ada),  # type: ignore[arg-type]
    )
    return {"proved": proved, "gone": gone, "stranger": stranger, "other_day": other_day}


def utc_now() -> datetime:
    """Now, UTC."""
    return datetime.now(UTC)
