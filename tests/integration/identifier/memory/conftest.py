"""A memory on both databases, with crops on disk and events in a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from identifier.enrolment import Enroller
from identifier.gallery.database import Database
from identifier.gallery.store import GalleryStore
from identifier.gallery.watcher import GalleryWatcher
from identifier.memory.events import EventLog
from identifier.memory.media import Media
from identifier.memory.recorder import EventsOut, Recorder
from identifier.memory.sightings import Sightings
from identifier.memory.tables import EventRow
from identifier.memory.writing import SightingWriter
from identifier.people import People
from identifier.tracks.values import TrackState
from identifier.unknowns.clusters import unknown_rules
from identifier.unknowns.store import Unknowns
from services.errors import BrokerUnavailable
from services.lifecycle.health import Health


class EventList(EventsOut):
    """Keeps what is published; `away` is a broker that does not answer."""

    def __init__(self) -> None:
        self.payloads: list[str] = []
        self.away = False

    def publish(self, events: Sequence[EventRow]) -> None:
        if self.away:
            raise BrokerUnavailable("no broker")
        self.payloads += [event.payload for event in events]


@dataclass
class Bench:
    """Everything a test of the memory may need."""

    database: Database
    media: Media
    folder: Path
    people: People
    unknowns: Unknowns
    writer: SightingWriter
    log: EventLog
    sightings: Sightings
    out: EventList = field(default_factory=EventList)
    health: Health = field(default_factory=lambda: Health("memory"))

    def write(self, *states: TrackState) -> list[str]:
        """Write states in one batch; types of the events that happened."""
        return [event.type for event in self.writer.write(states).events]

    def recorder(self, **options: float) -> Recorder:
        return Recorder(self.database, self.writer, self.log, self.out, self.health, **options)


@pytest.fixture
def bench(open_database: Callable[[], Database], tmp_path: Path, enroller: Enroller) -> Bench:
    database = open_database()
    media = Media(str(tmp_path / "media"))
    store = GalleryStore(database)
    people = People(store, GalleryWatcher(store, Health()), enroller)
    unknowns = Unknowns(database, unknown_rules(lambda _: 0.33, None), media, people)
    writer = SightingWriter(database, media, unknowns.assign, unknowns.lock)
    return Bench(
        database,
        media,
        tmp_path / "media",
        people,
        unknowns,
        writer,
        EventLog(database),
        Sightings(database),
    )
