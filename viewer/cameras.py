"""Every camera there is: what the identifier knows of them, and what is to be seen here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypedDict, cast

from viewer.identifier import Identifier, IdentifierAway, IdentifierProblem, Json
from viewer.state import CameraJson, StateReader

SourceState = Literal["running", "silent", "waiting", "opening", "lost", "failed", "ended", "off"]
"""How a camera does.

- `running`: its pictures come in
- `silent`: nothing comes in, though nobody says what is wrong
- `waiting`: no producer runs it yet
- `opening`, `lost`, `failed`, `ended`: what its producer says
- `off`: somebody switched it off
"""
_TOLD: Mapping[str, SourceState] = {
    "waiting": "waiting",
    "opening": "opening",
    "lost": "lost",
    "failed": "failed",
    "ended": "ended",
}
_FRESH_S = 1.0
_ON_THE_WAY: Final = ("waiting", "opening", "ended")


class SourceJson(TypedDict):
    """One camera.

    `kept` is whether it was added here and can be changed, `fixed` whether it is one of a
    producer's SOURCES, `pushed` whether its frames are sent in. `address` has no login in it and
    is empty where the visitor is not to know it. `fps` and `delay_ms` are measured where pictures
    are shown, `sent_fps` at the producer; `fps_limit` and `max_side` are 0 for no limit.
    """

    name: str
    state: SourceState
    kept: bool
    fixed: bool
    pushed: bool
    enabled: bool
    seen: bool
    address: str
    kind: str
    producer: str
    error: str
    fps: float
    sent_fps: float
    delay_ms: int
    drops: int
    fps_limit: float
    max_side: int
    width: int
    height: int
    last_seen: str | None


class CamerasJson(TypedDict):
    """All cameras; `problem` says why only those that are to be seen are among them.

    `producers` is how many of them run cameras that are added, None where nobody knows.
    """

    now: str
    problem: str
    producers: int | None
    cameras: list[SourceJson]


@dataclass(frozen=True, slots=True)
class _Told:
    """What the identifier said, and when; `problem` is why it said nothing."""

    known: list[Json]
    producers: int | None
    problem: str
    at_s: float


class Cameras:
    """Asks both sides; safe to use from any thread.

    The identifier is asked once a second at most, however many browsers look, and by one thread
    at a time: while it does not answer, the others go on with what it said before.

    Args:
        identifier: where added cameras are kept and producers report.
        state: what the viewer shows.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        identifier: Identifier,
        state: StateReader,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._identifier = identifier
        self._state = state
        self._clock = clock
        self._asking = threading.Lock()
        self._told: _Told | None = None
        self._changes = 0

    def read(self, *, addresses: bool) -> CamerasJson:
        """The cameras as they are now; without the identifier, those that are to be seen.

        Args:
            addresses: whether the visitor may know where cameras are.
        """
        told = self._ask()
        now = self._state.read()
        cameras = merge(told.known, now["cameras"])
        if not addresses:
            for camera in cameras:
                camera["address"] = camera["error"] = ""
        return {
            "now": now["now"],
            "problem": told.problem,
            "producers": told.producers,
            "cameras": cameras,
        }

    def changed(self) -> None:
        """Ask anew next time: something was changed."""
        self._changes += 1
        self._told = None

    def _ask(self) -> _Told:
        told = self._told
        if told is not None and self._clock() - told.at_s < _FRESH_S:
            return told
        if not self._asking.acquire(blocking=told is None):
            return cast("_Told", told)
        try:
            if self._told is not None and self._told is not told:
                return self._told
            changes = self._changes
            found = self._fetch()
            # What was asked before a change is not to be shown after it.
            self._told = found if changes == self._changes else None
        finally:
            self._asking.release()
        return found

    def _fetch(self) -> _Told:
        try:
            document = self._identifier.get("/cameras")
        except (IdentifierAway, IdentifierProblem) as error:
            return _Told([], None, str(error), self._clock())
        producers = len(_items(document, "producers"))
        return _Told(_items(document, "cameras"), producers, "", self._clock())


def merge(known: list[Json], shown: list[CameraJson]) -> list[SourceJson]:
    """One list, by name, of what the identifier knows and what is to be seen.

    Args:
        known: cameras of the identifier's API.
        shown: cameras of the board.
    """
    here = {camera["name"]: camera for camera in shown}
    told: dict[str, Json] = {}
    for entry in known:
        # One that was added here comes before a producer's own of the same name.
        if name := _text(entry, "name"):
            told.setdefault(name, entry)
    return [
        _source(name, told.get(name), here.get(name))
        for name in sorted(here.keys() | told.keys(), key=lambda name: (name.casefold(), name))
    ]


def _source(name: str, told: Json | None, here: CameraJson | None) -> SourceJson:
    known = told or {}
    fixed, pushed = known.get("fixed") is True, known.get("pushed") is True
    enabled = known.get("enabled") is not False
    return {
        "name": name,
        "state": _state(known, here, enabled=enabled),
        "kept": bool(known) and not fixed and not pushed,
        "fixed": fixed,
        "pushed": pushed,
        "enabled": enabled,
        "seen": here is not None,
        "address": _text(known, "address"),
        "kind": _text(known, "kind"),
        "producer": _text(known, "producer"),
        "error": _text(known, "error"),
        "fps": 0.0 if here is None or here["stale"] else here["fps"],
        "sent_fps": round(_number(known, "rate_fps"), 1),
        "delay_ms": 0 if here is None else here["delay_ms"],
        "drops": int(_number(known, "drops")),
        "fps_limit": _number(known, "fps"),
        "max_side": int(_number(known, "max_side")),
        "width": 0 if here is None else here["width"],
        "height": 0 if here is None else here["height"],
        "last_seen": None if here is None else here["last_seen"],
    }


def _state(known: Json, here: CameraJson | None, *, enabled: bool) -> SourceState:
    live = here is not None and not here["stale"]
    if not enabled:
        return "off"
    told = _TOLD.get(_text(known, "state"))
    if told is not None and not (live and told in _ON_THE_WAY):
        # What is to be seen is true, whatever its producer says a moment before or after.
        return told
    return "running" if live else "silent"


def _items(document: Json, name: str) -> list[Json]:
    found = document.get(name)
    return [entry for entry in found if type(entry) is dict] if type(found) is list else []


def _text(entry: Json, name: str) -> str:
    value = entry.get(name)
    return value if type(value) is str else ""


def _number(entry: Json, name: str) -> float:
    value = entry.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
