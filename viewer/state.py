"""What `/api/state.json` says, and the pages are made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TypedDict

from services.lifecycle.health import Health
from services.records.headers import rfc3339
from viewer.board import Board, CameraState, PersonState
from viewer.drawing import hue_of


class CameraJson(TypedDict):
    """One camera; times RFC 3339, `delay_ms` from capture to arrival here."""

    name: str
    fps: float
    delay_ms: int
    last_seen: str
    stale: bool
    width: int
    height: int
    people: list[str]
    unknown_faces: int


class PersonJson(TypedDict):
    """One person; `hue` is the number of the colour of their box."""

    slug: str
    name: str
    last_seen: str | None
    camera: str | None
    here: bool
    hue: int


class StateJson(TypedDict):
    """Everything there is to see; `ready` is whether frames can come in."""

    now: str
    ready: bool
    cameras: list[CameraJson]
    people: list[PersonJson]


@dataclass(frozen=True, slots=True)
class StateReader:
    """Makes the document from the board as it is now."""

    board: Board
    health: Health
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def person(self, slug: str) -> PersonJson | None:
        """One person, in the list or not."""
        found = self.board.person(slug)
        return None if found is None else _person(found)

    def read(self) -> StateJson:
        """The state now."""
        return {
            "now": rfc3339(self.now()),
            "ready": self.health.is_ready,
            "cameras": [_camera(camera) for camera in self.board.cameras()],
            "people": [_person(person) for person in self.board.people()],
        }


def _camera(camera: CameraState) -> CameraJson:
    return {
        "name": camera.name,
        "fps": round(camera.fps, 1),
        "delay_ms": camera.delay_ms,
        "last_seen": rfc3339(camera.last_seen),
        "stale": camera.stale,
        "width": camera.width,
        "height": camera.height,
        "people": list(camera.people),
        "unknown_faces": camera.unknown_faces,
    }


def _person(person: PersonState) -> PersonJson:
    last_seen = None if person.last_seen is None else rfc3339(person.last_seen)
    return {**asdict(person), "last_seen": last_seen, "hue": hue_of(person.slug)}  # type: ignore[typeddict-item]
