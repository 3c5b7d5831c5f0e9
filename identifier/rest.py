"""The REST API over everything the identifier knows."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from identifier.access.tokens import Tokens
from identifier.access.users import Users
from identifier.api.access import access_routes
from identifier.api.analysts import Analysts
from identifier.api.app import make_app
from identifier.api.backfills import backfill_routes
from identifier.api.cameras import CameraRooms, camera_routes
from identifier.api.erase import erase_routes
from identifier.api.events import EventFeed, event_routes
from identifier.api.explain import explain_routes
from identifier.api.guard import Access
from identifier.api.identify import PhotoLimits, identify_routes
from identifier.api.people import people_routes
from identifier.api.server import ApiServer
from identifier.api.sightings import sighting_routes
from identifier.api.unknowns import unknown_routes
from identifier.cameras.leases import Leases
from identifier.cameras.secrets import AddressBox
from identifier.cameras.shots import Shots
from identifier.cameras.store import Cameras
from identifier.gallery.database import Database
from identifier.gallery.reembedding import Reembedding
from identifier.history.backfill import Backfills
from identifier.history.erase import Erasure
from identifier.history.explain import Explainer
from identifier.history.raw_frames import RawFrames
from identifier.memory.events import EventLog
from identifier.memory.media import Media, days_ago
from identifier.memory.sightings import Sightings
from identifier.models import analyser_loader
from identifier.people import People
from identifier.settings import IdentifierSettings
from identifier.snapshot import SnapshotSource
from identifier.unknowns.store import Unknowns
from services.lifecycle.health import Health


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the API is about."""

    database: Database
    media: Media
    gallery: SnapshotSource
    people: People
    reembedding: Reembedding
    unknowns: Unknowns
    events: EventLog
    backfills: Backfills
    erasure: Erasure


@dataclass(frozen=True, slots=True)
class Running:
    """The API as it runs; `stop` ends it."""

    server: ApiServer
    ending: threading.Event

    def stop(self) -> None:
        """End open streams, then everything."""
        self.ending.set()
        self.server.stop()


def start_api(
    settings: IdentifierSettings,
    rooms: Rooms,
    threshold: Callable[[str], float],
    health: Health,
    access: Access,
) -> Running:
    """Serve at API_HOST and API_PORT.

    Raises:
        SettingsError: the address cannot be bound.
    """

    def look_back(slug: str) -> None:
        if settings.backfill_on_enrol_days:
            rooms.backfills.start(slug, days_ago(settings.backfill_on_enrol_days))

    ending = threading.Event()
    tokens = Tokens(rooms.database)
    workers = settings.identify_workers or len(os.sched_getaffinity(0))
    analysts = Analysts(analyser_loader(settings), workers, settings.identify_waiting)
    limits = PhotoLimits(settings.upload_max_bytes, settings.upload_max_pixels)
    routers = [
        people_routes(rooms.people, rooms.reembedding, look_back),
        erase_routes(rooms.erasure),
        identify_routes(rooms.gallery, threshold, analysts, limits),
        sighting_routes(Sightings(rooms.database), rooms.media),
        explain_routes(Explainer(rooms.database, RawFrames(settings))),
        unknown_routes(rooms.unknowns),
        event_routes(rooms.events, EventFeed(rooms.events, ending.is_set)),
        backfill_routes(rooms.backfills),
        access_routes(Users(rooms.database), tokens),
        camera_routes(_cameras(settings, rooms.database, ending)),
    ]
    app = make_app(rooms.people, health, replace(access, check=tokens.check), routers)
    server = ApiServer(app, settings.api_host, settings.api_port, settings.api_certificate)
    server.start()
    return Running(server, ending)


def _cameras(
    settings: IdentifierSettings, database: Database, ending: threading.Event
) -> CameraRooms:
    key = settings.camera_key
    box = AddressBox(None if key is None else key.get_secret_value(), settings.camera_key_file)
    cameras = Cameras(database, box, files=settings.camera_files)
    cameras.check_key()
    return CameraRooms(
        cameras,
        Leases(database, box),
        Shots(database, box, files=settings.camera_files),
        ending.is_set,
    )
