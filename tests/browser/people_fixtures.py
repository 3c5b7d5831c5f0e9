"""A real identifier and a real viewer over a gallery of their own, and strangers seen before."""

from __future__ import annotations

import base64
import functools
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import cv2
import httpx
import numpy as np
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from identifier.enrolment import Enroller, EnrolmentLimits
from identifier.gallery.database import Database, sqlite_url
from identifier.gallery.store import GalleryStore
from identifier.gallery.watcher import GalleryWatcher
from identifier.memory.events import Who, add_event
from identifier.memory.media import Media, new_key
from identifier.memory.tables import SightingRow
from identifier.people import People, pack_threshold
from identifier.unknowns.clusters import unknown_rules
from identifier.unknowns.store import Unknowns
from services.broker.memory import MemoryBroker
from services.lifecycle.health import Health
from services.models.analysis import FaceAnalyser
from tests.integration.identifier.unknowns.strangers import face, see, track
from tests.integration.identifier.unknowns.test_corrections import enrol
from tests.pipeline import Services, services


@dataclass
class Room:
    """The services of a test, as a browser and a program reach them."""

    run: Services

    @property
    def url(self) -> str:
        """Of the viewer."""
        return f"http://127.0.0.1:{self.run.env['VIEWER_PORT']}"

    @property
    def people(self) -> str:
        """The page of people."""
        return f"{self.url}/people"

    @property
    def unknown(self) -> str:
        """The page of those without a name."""
        return f"{self.url}/unknown"

    @property
    def api(self) -> str:
        """Of the identifier."""
        return f"http://127.0.0.1:{self.run.env['API_PORT']}/api/v1"

    def enrol(self, name: str, photo: Path) -> str:
        """Enrol somebody over the API; their slug."""
        answer = httpx.post(
            f"{self.api}/people/{name}/faces", files={"file": photo.read_bytes()}, timeout=60
        )
        answer.raise_for_status()
        return str(answer.json()["person"]["slug"])

    def person(self, slug: str) -> httpx.Response:
        """A person as the API shows them now."""
        return httpx.get(f"{self.api}/people/{slug}", timeout=30)

    def name(self, number: int, name: str) -> None:
        """Say over the API who a stranger is."""
        answer = httpx.post(f"{self.api}/unknowns/{number}/name", json={"name": name}, timeout=60)
        answer.raise_for_status()

    def clear(self) -> None:
        """Remove everybody, named or not."""
        for person in httpx.get(f"{self.api}/people").json()["people"]:
            httpx.delete(f"{self.api}/people/{person['slug']}", timeout=30).raise_for_status()
        everyone = httpx.get(f"{self.api}/unknowns", params={"ignored": "true"}).json()
        for one in everyone["unknowns"]:
            httpx.delete(f"{self.api}/unknowns/{one['number']}", timeout=30).raise_for_status()

    def fill(self, *names: str) -> None:
        """Enrol people without a readable photo, at once."""
        database = Database(sqlite_url(Path(self.run.env["DATA_DIR"])))
        try:
            store = GalleryStore(database)
            for seed, name in enumerate(names, 1_000):
                enrol(store, name, seed)
        finally:
            database.close()

    def meet(
        self, *photos: Path, camera: str = "hall", times: int = 1, told: bool = False
    ) -> list[int]:
        """Have strangers pass a camera, each with the face of a photo; their numbers.

        Args:
            photos: of one stranger each.
            camera: that sees them.
            times: how often each.
            told: whether there are events of it.
        """
        folder = Path(self.run.env["DATA_DIR"])
        database = Database(sqlite_url(folder))
        media = Media(str(folder / "media"))
        limits = EnrolmentLimits(
            min_face_px=40, min_score=0.5, max_bytes=2**24, max_pixels=64_000_000
        )
        store = GalleryStore(database)
        enroller = Enroller(_analyser, limits)
        people = People(store, GalleryWatcher(store, Health()), enroller)
        unknowns = Unknowns(database, unknown_rules(pack_threshold, None), media, people)
        numbers = []
        try:
            for photo in photos:
                crop = crop_of(photo)
                of = zlib.crc32(photo.name.encode())
                found: list[int | None] = []
                for turn in range(times):
                    at = datetime.now(UTC) - timedelta(minutes=5 * (times - turn))
                    state = track(
                        f"{photo.name} {camera} {time.time_ns()}",
                        face(of, turn, 0.2),
                        camera=camera,
                    )
                    state = replace(state, first_at=at, last_at=at + timedelta(seconds=9))
                    found = see(database, unknowns, state)
                    key = media.put(new_key(at), crop)
                    with database.writing() as session:
                        row = session.get(SightingRow, state.id)
                        assert row is not None
                        row.crop, row.ended = key, True
                        if told:
                            who = Who(unknown=row.unknown_id)
                            add_event(session, row, who, enter=True, at=at)
                numbers.append(found[0] or 0)
        finally:
            database.close()
        return numbers


@functools.cache
def _analyser() -> FaceAnalyser:
    return FaceAnalyser.load("buffalo_s", "cpu")


@functools.cache
def crop_of(photo: Path, side_px: int = 240) -> bytes:
    """The face in a photo with some room around it, as the memory keeps it: JPEG."""
    image = cv2.imread(str(photo))
    assert image is not None
    (found, *_) = _analyser().analyse_photo(image.astype(np.uint8))
    x, y, width, height = (float(value) for value in found.box_xywh)
    side = round(min(1.6 * max(width, height), *image.shape[:2]))
    left = round(min(max(0, x + width / 2 - side / 2), image.shape[1] - side))
    top = round(min(max(0, y + height / 2 - side / 2), image.shape[0] - side))
    square = image[top : top + side, left : left + side]
    made, jpeg = cv2.imencode(".jpg", cv2.resize(square, (side_px, side_px)))
    assert made
    return jpeg.tobytes()


def blurred(photo: Path, to: Path) -> Path:
    """The photo out of focus: it is refused unless one insists."""
    image = cv2.imread(str(photo))
    assert image is not None
    sigma = max(image.shape[:2]) / 60
    cv2.imwrite(str(to), cv2.GaussianBlur(image, (0, 0), sigma))
    return to


def fake_camera_film(photo: Path, to: Path) -> Path:
    """A film of a photo for Chromium's fake camera: Motion JPEG."""
    image = cv2.imread(str(photo))
    assert image is not None
    height, width = image.shape[:2]
    factor = min(640 / width, 480 / height)
    small = cv2.resize(image, None, fx=factor, fy=factor)
    frame = np.full((480, 640, 3), 128, np.uint8)
    top, left = (480 - small.shape[0]) // 2, (640 - small.shape[1]) // 2
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    made, jpeg = cv2.imencode(".jpg", frame)
    assert made
    to.write_bytes(jpeg.tobytes() * 10)
    return to


@contextmanager
def a_room(folder: Path) -> Iterator[Room]:
    """An identifier and a viewer over an empty gallery."""
    with MemoryBroker() as broker, services(broker.bootstrap_servers, "", folder) as run:
        run.env["IDENTIFIER_URL"] = f"http://127.0.0.1:{run.env['API_PORT']}"
        run.start("identifier")
        run.start("viewer")
        run.ready()
        yield Room(run)


SIZES = ((1_440, 900), (390, 844))
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def assert_accessible(page: Page) -> None:
    """No violation of what axe-core knows."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def look_everywhere(page: Page, picture: Callable[[str], object]) -> None:
    """Nothing sticks out and everybody can use it: desktop and phone, by day and by night.

    Args:
        page: as it is to be looked at.
        picture: takes one, told what of: `light-390`.
    """
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert_accessible(page)
            picture(f"{scheme}-{width}")


def drop_files(page: Page, selector: str, *files: Path) -> None:
    """Drop files of the desktop onto a part of the page."""
    given = [
        {"name": file.name, "data": base64.b64encode(file.read_bytes()).decode()} for file in files
    ]
    transfer = page.evaluate_handle(
        """(given) => {
          const transfer = new DataTransfer();
          for (const { name, data } of given) {
            const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
            const type = name.endsWith(".png") ? "image/png" : "image/jpeg";
            transfer.items.add(new File([bytes], name, { type }));
          }
          return transfer;
        }""",
        given,
    )
    page.dispatch_event(selector, "dragover", {"dataTransfer": transfer})
    page.dispatch_event(selector, "drop", {"dataTransfer": transfer})
