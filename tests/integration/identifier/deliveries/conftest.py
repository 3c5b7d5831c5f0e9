"""Events in a database, a receiver of webhooks, and an MQTT broker."""

from __future__ import annotations

import json
import os
import queue
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import select

from identifier.deliveries.lease import Lease
from identifier.deliveries.runner import Pace, SinkRunner
from identifier.deliveries.values import Event, Sink
from identifier.gallery.database import Database, sqlite_url
from identifier.gallery.tables import PersonRow, now
from identifier.memory.events import EventLog
from identifier.memory.tables import EventRow, SightingRow
from services.cli.children import free_port
from tests.conftest import require_or_skip

QUICK = Pace(poll_s=0.02, first_retry_s=0.02, most_retry_s=0.1, patience_s=20)


class Memory(EventLog):
    """The tables, written as the recorder writes them."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.database = database

    def row(self, kind: str, camera: str, sighting: str, slug: str, unknown: int) -> EventRow:
        payload = {
            "type": kind,
            "camera": camera,
            "sighting": sighting,
            "person": {"slug": slug, "name": slug.title()} if slug else None,
            "unknown": unknown or None,
            "at": "2026-11-21T04:30:00.000000Z",
        }
        return EventRow(
            key=os.urandom(16).hex(),
            type=kind,
            camera=camera,
            sighting_id=sighting,
            at=now(),
            payload=json.dumps(payload),
        )

    def happens(
        self,
        kind: str = "person_enter",
        camera: str = "door",
        sighting: str = "s1",
        slug: str = "alice",
        unknown: int = 0,
    ) -> int:
        """Write an event; its id."""
        with self.database.writing() as session:
            row = self.row(kind, camera, sighting, "" if unknown else slug, unknown)
            session.add(row)
            session.flush()
            return row.id

    def erase(self, event_id: int) -> None:
        with self.database.writing() as session:
            session.delete(session.get_one(EventRow, event_id))

    def enrol(self, slug: str, name: str) -> int:
        with self.database.writing() as session:
            row = PersonRow(slug=slug, name=name, name_key=name.casefold())
            session.add(row)
            session.flush()
            return row.id

    def remove(self, slug: str) -> None:
        """Delete a person; the sightings go with them."""
        with self.database.writing() as session:
            row = session.scalar(select(PersonRow).where(PersonRow.slug == slug))
            assert row is not None
            session.delete(row)

    def sees(self, sighting: str, camera: str, person_id: int | None, ended: bool = False) -> None:
        """Write a sighting."""
        box = dict.fromkeys(("x", "y", "width", "height"), 1.0)
        last = {f"last_{side}": 1.0 for side in ("x", "y", "width", "height")}
        with self.database.writing() as session:
            session.add(
                SightingRow(
                    **box,
                    **last,
                    id=sighting,
                    camera=camera,
                    session="",
                    person_id=person_id,
                    found_by="live",
                    started_at=now(),
                    last_at=now(),
                    ended=ended,
                    first_seq=0,
                    last_seq=1,
                    frames=2,
                    quality=1.0,
                    embedding=b"",
                    best_seq=0,
                    best_at=now(),
                    best_score=0.9,
                    frame_width=640,
                    frame_height=360,
                    raw_topic="frames.raw",
                    raw_partition=0,
                    raw_offset=0,
                    pack="buffalo_s",
                    recogniser_sha256="0" * 64,
                    model_files="[]",
                )
            )

    def leaves(self, sighting: str) -> None:
        with self.database.writing() as session:
            row = session.get_one(SightingRow, sighting)
            row.ended = True


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    """A memory in SQLite."""
    database = Database(sqlite_url(tmp_path / "memory"))
    yield Memory(database)
    database.close()


@pytest.fixture
def each_memory(open_database: Callable[[], Database]) -> Memory:
    """A memory in each kind of database in turn."""
    return Memory(open_database())


@dataclass
class Kept:
    """Dead letters in a list."""

    letters: list[tuple[int, str, str]] = field(default_factory=list)

    def put(self, event: Event, reason: str, source: str) -> bool:
        self.letters.append((event.id, reason, source))
        return True


Start = Callable[..., SinkRunner]


@pytest.fixture
def start(memory: Memory) -> Iterator[Start]:
    """Starts runners that end with the test: `start(sink, memory, owner="one")`."""
    running: list[SinkRunner] = []

    def start_one(
        sink: Sink,
        of: Memory | None = None,
        *,
        owner: str = "one",
        lease_s: float = 30.0,
        kept: Kept | None = None,
        pace: Pace = QUICK,
    ) -> SinkRunner:
        chosen = of or memory
        lease = Lease(chosen.database, sink.name, owner, lease_s)
        running.append(SinkRunner(sink, lease, chosen, kept or Kept(), pace))
        running[-1].start()
        return running[-1]

    yield start_one
    for runner in running:
        runner.ask_to_stop()
    for runner in running:
        runner.join()


@dataclass
class Request:
    """What came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at_s: float

    @property
    def sighting(self) -> str:
        return str(json.loads(self.body)["sighting"])


Answer = int | tuple[int, dict[str, str]] | str


class Receiver:
    """An HTTP server that answers as scripted, then 204.

    An answer is a status, a status with headers, `close` (the connection ends without an answer)
    or `hang` (no answer until the test is over).
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.script: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def seen(self) -> list[str]:
        """Sightings of the events that came, in order."""
        return [request.sighting for request in list(self.requests)]

    def answers(self, *answers: Answer) -> None:
        for answer in answers:
            self.script.put(answer)

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append(Request(self.path, headers, body, time.time()))
                try:
                    answer = receiver.script.get_nowait()
                except queue.Empty:
                    answer = 204
                if answer == "hang":
                    receiver._over.wait(60)
                if isinstance(answer, str):
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                status, extra = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    server = Receiver()
    yield server
    server.close()


class Mosquitto:
    """An MQTT broker that may be killed; it keeps sessions and retained messages on disk."""

    def __init__(self, program: str, folder: Path, *extra: str) -> None:
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.stored = folder / "mosquitto.db"
        self._program = program
        self._config = folder / "mosquitto.conf"
        auth = [] if any("password_file" in line for line in extra) else ["allow_anonymous true"]
        lines = [
            f"listener {self.port} 127.0.0.1",
            *auth,
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_on_changes true",
            "autosave_interval 1",
            "user root",  # the temporary folder is no other user's
            *extra,
        ]
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", self._config],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline_s = time.monotonic() + 60
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert self._process.poll() is None, "mosquitto ended"
            assert time.monotonic() < deadline_s, "mosquitto did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def make_mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Starts brokers that end with the test; takes further lines of their configuration."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    program = shutil.which("mosquitto", path=path)
    require_or_skip(program is not None, "mosquitto is not installed: apt install mosquitto")
    assert program is not None
    running: list[Mosquitto] = []

    def make(*extra: str) -> Mosquitto:
        folder = tmp_path / f"mosquitto-{len(running)}"
        folder.mkdir()
        running.append(Mosquitto(program, folder, *extra))
        running[-1].start()
        return running[-1]

    yield make
    for broker in running:
        broker.kill()


@pytest.fixture
def mosquitto(make_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """An MQTT broker that asks nobody who they are."""
    return make_mosquitto()
