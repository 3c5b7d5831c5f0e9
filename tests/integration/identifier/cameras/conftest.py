"""Cameras over a real socket, for as many identifiers on one database as a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from identifier.access.tokens import Tokens
from identifier.api.app import make_app
from identifier.api.cameras import CameraRooms, camera_routes
from identifier.api.guard import Access
from identifier.api.server import ApiServer
from identifier.cameras.leases import Leases
from identifier.cameras.secrets import AddressBox
from identifier.cameras.shots import Shots
from identifier.cameras.store import Cameras
from identifier.cameras.values import Report, Running
from identifier.enrolment import Enroller
from identifier.gallery.database import Database, sqlite_url
from identifier.gallery.store import GalleryStore
from identifier.gallery.watcher import GalleryWatcher
from identifier.people import People
from services.errors import ModelError
from services.lifecycle.health import Health
from services.models.analysis import FaceAnalyser
from tests.integration.identifier.conftest import LIMITS


@dataclass
class Desk:
    """One identifier's cameras."""

    database: Database
    rooms: CameraRooms

    @property
    def cameras(self) -> Cameras:
        return self.rooms.cameras

    @property
    def leases(self) -> Leases:
        return self.rooms.leases

    @property
    def shots(self) -> Shots:
        return self.rooms.shots


BOTH_DATABASES = pytest.mark.parametrize(
    "database_address", ["sqlite", "postgresql"], indirect=True
)
OpenDesk = Callable[..., Desk]
Serve = Callable[..., ApiServer]


@pytest.fixture(params=["sqlite"])
def database_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """SQLite, but where a test is about what databases do: those have `BOTH_DATABASES`."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "gallery")
    address: str = request.getfixturevalue("new_postgres_database")
    return address


@pytest.fixture
def open_desk(open_database: Callable[[], Database], tmp_path: Path) -> OpenDesk:
    """Opens the same database again and again: `open_desk(key=None, files=True, lease_s=10)`."""

    def open_one(
        key: str | None = None,
        *,
        files: bool = True,
        lease_s: float = 10.0,
        shot_within_s: float = 15.0,
    ) -> Desk:
        database = open_database()
        box = AddressBox(key, tmp_path / "camera.key")
        rooms = CameraRooms(
            Cameras(database, box, files=files),
            Leases(database, box, lease_s),
            Shots(database, box, files=files),
            shot_within_s=shot_within_s,
        )
        return Desk(database, rooms)

    return open_one


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    return open_desk()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves a desk: `serve(desk, port=0, token=None)`; it may be stopped and served again.

    With a token, API tokens count too, and `producer_token`.
    """
    with ExitStack() as at_exit:

        def start(
            desk: Desk,
            port: int = 0,
            token: str | None = None,
            producer_token: str | None = None,
        ) -> ApiServer:
            store = GalleryStore(desk.database)
            people = People(store, GalleryWatcher(store, Health()), Enroller(_no_models, LIMITS))
            access = Access.on_loopback(
                "127.0.0.1", token, 8_000_000, Tokens(desk.database).check, producer_token
            )
            app = make_app(people, Health(), access, [camera_routes(desk.rooms)])
            server = ApiServer(app, "127.0.0.1", port)
            server.start()
            at_exit.callback(server.stop)
            return server

        yield start


@pytest.fixture
def api(desk: Desk, serve: Serve) -> Iterator[httpx.Client]:
    """A client of one identifier."""
    with client_of(serve(desk)) as client:
        yield client


def client_of(server: ApiServer, token: str | None = None) -> httpx.Client:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}/api/v1", headers=headers, timeout=20
    )


def running(name: str, **more: object) -> Running:
    """A camera that runs, as a producer reports it."""
    known: dict[str, object] = {
        "name": name,
        "fixed": False,
        "pushed": False,
        "state": "running",
        "kind": "rtsp",
        "source": f"rtsp://{name}/",
        "fps": 25.0,
        "frames": 100,
        "drops": 0,
        "error": "",
        "since": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Running(**(known | more))  # type: ignore[arg-type]


def report(*cameras: Running | str, leaving: bool = False) -> Report:
    """What a producer says that runs these cameras."""
    return Report("1.0", tuple(running(c) if isinstance(c, str) else c for c in cameras), leaving)


def _no_models() -> FaceAnalyser:
    raise ModelError("no test of cameras looks at faces")
