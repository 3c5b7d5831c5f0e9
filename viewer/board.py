"""The newest picture of every camera and of every person: what there is to see right now.

Pictures come in from one thread and are looked at from others; every method is safe from any of
them. Time is passed in as a clock, so that silence can be tested without waiting for it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from viewer.pictures import Picture
from viewer.shadows import shadows_after
from viewer.texts import Texts

_RATE_WINDOW_S = 3.0
_RATE_FRAMES = 240
_SHORTEST_S = 0.25
# A person in two pictures at once stays with one camera instead of flickering between them.
_STAY_S = 1.0
MAX_CHANNELS = 4_096
# More names than that nobody reads beside the pictures; the page of people has them all.
_LISTED_PEOPLE = 200


class Key(NamedTuple):
    """A channel: one camera, or one person wherever they are seen."""

    kind: Literal["camera", "person"]
    name: str


@dataclass(frozen=True, slots=True)
class View:
    """What a channel shows.

    Attributes:
        key: the channel.
        picture: the newest frame, None for a person not seen yet.
        caption: empty while live; else lines to write over the dimmed picture.
        version: differs from every earlier view of this channel.
    """

    key: Key
    picture: Picture | None
    caption: tuple[str, ...]
    version: int


@dataclass(frozen=True, slots=True)
class CameraState:
    """How a camera stands; times are UTC, `delay_ms` is from capture to arrival here."""

    name: str
    fps: float
    delay_ms: int
    last_seen: datetime
    stale: bool
    width: int
    height: int
    people: tuple[str, ...]
    unknown_faces: int


@dataclass(frozen=True, slots=True)
class PersonState:
    """Who a person is and where they were seen last; both None where they were not."""

    slug: str
    name: str
    last_seen: datetime | None
    camera: str | None
    here: bool


@dataclass(slots=True)
class _Channel:
    picture: Picture
    seen_s: float
    seen_at: datetime
    version: int
    stale: bool = False
    delay_s: float = 0.0
    arrivals_s: deque[float] = field(default_factory=lambda: deque(maxlen=_RATE_FRAMES))


class Board:
    """Keeps the newest frame per channel; older ones, and late ones, are never shown.

    Args:
        stale_after_s: silence after which a channel is marked as such.
        forget_after_s: silence after which it is dropped.
        texts: what captions say; in English where it is None.
        clock: seconds, monotonic.
        now: the time of day, aware.
    """

    def __init__(
        self,
        stale_after_s: float,
        forget_after_s: float = 86_400,
        texts: Texts | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._stale_after_s = stale_after_s
        self._forget_after_s = forget_after_s
        self._texts = texts or Texts()
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._channels: dict[Key, _Channel] = {}
        self._names: dict[str, str] = {}
        self._enrolled: frozenset[str] | None = None
        self._erased: set[str] = set()
        self._version = 0

    def show(self, picture: Picture) -> list[Key]:
        """Take a frame in; returns the channels it changed, none when it came too late."""
        with self._lock:
            now_s, now = self._clock(), self._now()
            camera = Key("camera", picture.camera)
            channel = self._channels.get(camera)
            if picture.late or not self._may_show(channel, picture):
                return []
            if channel is not None:
                picture.shadows = shadows_after(
                    channel.picture, picture.captured_at, picture.size, picture.marks
                )
            changed = [camera]
            self._put(camera, picture, now_s, now)
            for mark in picture.marks:
                if not mark.person or mark.person in self._erased:
                    continue
                if self._enrolled is None or mark.person not in self._enrolled:
                    self._names[mark.person] = mark.name
                person = Key("person", mark.person)
                if self._stays_elsewhere(person, picture, now_s) or person in changed:
                    continue
                self._put(person, picture, now_s, now)
                changed.append(person)
            return changed

    def tick(self) -> list[Key]:
        """Notice silence; returns the channels that went stale or were dropped."""
        changed = []
        with self._lock:
            now_s = self._clock()
            for key, channel in list(self._channels.items()):
                silent_s = now_s - channel.seen_s
                if silent_s > self._forget_after_s:
                    self._drop(key)
                    changed.append(key)
                elif silent_s >= self._stale_after_s and not channel.stale:
                    channel.stale = True
                    channel.version = self._next_version()
                    changed.append(key)
        return changed

    def enrol(self, people: Sequence[tuple[str, str]]) -> list[Key]:
        """Set who is enrolled, as (slug, name).

        Whoever was and no longer is, is erased at once, pictures and all. Others may still be
        named by the frames: another identifier may share the stream.
        """
        with self._lock:
            names = dict(people)
            gone = (self._enrolled or frozenset()) - names.keys()
            new = [Key("person", slug) for slug in names if slug not in self._names]
            self._erased = (self._erased | gone) - names.keys()
            dropped = [key for slug in gone if (key := Key("person", slug)) in self._channels]
            for key in dropped:
                self._drop(key)
            for slug in gone:
                self._names.pop(slug, None)
            self._names |= names
            self._enrolled = frozenset(names)
            return dropped + new

    def view(self, key: Key) -> View | None:
        """What a channel shows now; None for one that does not exist."""
        with self._lock:
            channel = self._channels.get(key)
            if channel is not None:
                caption = self._caption(key, channel) if channel.stale else ()
                return View(key, channel.picture, caption, channel.version)
            known = self._enrolled is None or key.name in self._names
            if key.kind == "camera" or not known:
                return None
            name = self._names.get(key.name, key.name)
            return View(key, None, (self._texts("pictures.waiting", name=name),), 0)

    def cameras(self) -> list[CameraState]:
        """Every camera, by name."""
        with self._lock:
            now_s = self._clock()
            keys = sorted(key for key in self._channels if key.kind == "camera")
            return [self._camera_state(key.name, self._channels[key], now_s) for key in keys]

    def people(self) -> list[PersonState]:
        """Who is here, was seen or is enrolled, by name; of many, those seen last."""
        with self._lock:
            seen = sorted(
                (key for key in self._channels if key.kind == "person"),
                key=lambda key: self._channels[key].seen_s,
                reverse=True,
            )
            slugs = dict.fromkeys(key.name for key in seen[:_LISTED_PEOPLE])
            for slug in self._names:
                if len(slugs) >= _LISTED_PEOPLE:
                    break
                slugs[slug] = None
            states = [self._person_state(slug, self._names[slug]) for slug in slugs]
        return sorted(states, key=lambda person: (person.name.casefold(), person.slug))

    def person(self, slug: str) -> PersonState | None:
        """One person; None for somebody neither enrolled nor seen."""
        with self._lock:
            name = self._names.get(slug)
            return None if name is None else self._person_state(slug, name)

    def _may_show(self, channel: _Channel | None, picture: Picture) -> bool:
        # After a silence anything goes: a replay of last week is a new start, not a step back.
        return channel is None or channel.stale or picture.follows(channel.picture)

    def _stays_elsewhere(self, person: Key, picture: Picture, now_s: float) -> bool:
        channel = self._channels.get(person)
        return (
            channel is not None
            and channel.picture.camera != picture.camera
            and now_s - channel.seen_s < _STAY_S
        )

    def _put(self, key: Key, picture: Picture, now_s: float, now: datetime) -> None:
        delay_s = (now - picture.captured_at).total_seconds()
        channel = self._channels.get(key)
        if channel is None:
            if len(self._channels) >= MAX_CHANNELS:
                self._drop(min(self._channels, key=lambda k: self._channels[k].seen_s))
            channel = _Channel(picture, now_s, now, 0, delay_s=delay_s)
            self._channels[key] = channel
        elif channel.stale:
            channel.arrivals_s.clear()
            channel.delay_s = delay_s
        channel.picture = picture
        channel.seen_s, channel.seen_at = now_s, now
        channel.stale = False
        channel.version = self._next_version()
        channel.delay_s += 0.2 * (delay_s - channel.delay_s)
        channel.arrivals_s.append(now_s)

    def _drop(self, key: Key) -> None:
        del self._channels[key]
        if key.kind == "person" and key.name not in (self._enrolled or ()):
            self._names.pop(key.name, None)

    def _next_version(self) -> int:
        self._version += 1
        return self._version

    def _caption(self, key: Key, channel: _Channel) -> tuple[str, ...]:
        t = self._texts
        clock_face = channel.seen_at.astimezone().strftime("%H:%M:%S %Z")
        if key.kind == "camera":
            return t("pictures.no_signal"), t("pictures.since", time=clock_face)
        where = t("pictures.time_and_camera", time=clock_face, camera=channel.picture.camera)
        return t("pictures.last_seen"), where

    def _camera_state(self, name: str, channel: _Channel, now_s: float) -> CameraState:
        marks = channel.picture.marks
        return CameraState(
            name=name,
            fps=0.0 if channel.stale else rate(channel.arrivals_s, now_s),
            delay_ms=round(1_000 * max(0.0, channel.delay_s)),
            last_seen=channel.seen_at,
            stale=channel.stale,
            width=channel.picture.size[0],
            height=channel.picture.size[1],
            people=tuple(sorted({mark.person for mark in marks if mark.person})),
            unknown_faces=sum(not mark.person for mark in marks),
        )

    def _person_state(self, slug: str, name: str) -> PersonState:
        channel = self._channels.get(Key("person", slug))
        if channel is None:
            return PersonState(slug, name, None, None, here=False)
        picture = channel.picture
        return PersonState(slug, name, channel.seen_at, picture.camera, here=not channel.stale)


def rate(arrivals_s: Collection[float], now_s: float) -> float:
    """Frames per second over the last seconds; 0 for a single frame."""
    recent = [at for at in arrivals_s if now_s - at <= _RATE_WINDOW_S]
    if len(recent) < 2:
        return 0.0
    # A camera's first frames may come all at once, after a wait elsewhere.
    return (len(recent) - 1) / max(_SHORTEST_S, recent[-1] - recent[0])
