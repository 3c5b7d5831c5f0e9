"""Names by track: frames wait a moment, so that the first ones of a track carry its name too."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, TypeVar

from identifier.identify import Frame
from identifier.snapshot import Snapshot
from identifier.tracks.camera import CameraTracks, matrix_for
from identifier.tracks.changes import Changes
from identifier.tracks.naming import give_names
from identifier.tracks.track import Track, TrackRules, sights
from identifier.tracks.values import TrackState
from services.records.facestream_pb2 import IdentifiedFrame

T = TypeVar("T")

_PICTURES = "stored:images"
_SILENCE_GRACE_S = 1.0  # a frame may be in the reorder window, or its worker be slow
_SWEEP_EVERY_S = 0.5
_MAX_LANES = 10_000


@dataclass(frozen=True, slots=True)
class WaitLimits:
    """How long and how much frames may wait for a track's name.

    Attributes:
        live_s: longest wait of a frame of a live source, seconds.
        stored_s: of a file: as much capture time, or twice as much of ours with nothing heard of
            its camera.
        max_frames: of one camera.
        max_bytes: of all JPEGs that wait.
    """

    live_s: float = 0.25
    stored_s: float = 5.0
    max_frames: int = 128
    max_bytes: int = 67_108_864


@dataclass(frozen=True, slots=True)
class Named(Generic[T]):
    """A frame ready to be published.

    Attributes:
        item: as it was given.
        frame: as it was given.
        result: as it was given, its faces with track, name and number of the unknown person.
        tracks: ids of the tracks that have counted this frame. A frame is safe when the memory
            has them: everything released is in the states of `changes(everything=True)`.
    """

    item: T = field(repr=False)
    frame: Frame
    result: IdentifiedFrame = field(repr=False)
    tracks: tuple[str, ...]


@dataclass(slots=True)
class _Held(Generic[T]):
    item: T
    frame: Frame
    result: IdentifiedFrame
    tracks: Sequence[Track]
    pushed_s: float

    @property
    def size_bytes(self) -> int:
        return len(self.frame.record.jpeg)

    @property
    def settled(self) -> bool:
        # Live, a face that the gallery knows nothing of holds nobody up.
        live = self.frame.key.live
        return all(t.settled or (live and not t.has_votes) for t in self.tracks)


@dataclass(slots=True)
class _Lane(Generic[T]):
    """One camera of one partition."""

    tracks: CameraTracks
    heard_s: float
    session: str | None = None
    held: deque[_Held[T]] = field(default_factory=deque)


class TrackIdentities(Generic[T]):
    """Decides who is in the frames of all cameras, track by track.

    Frames come in order per camera, as the reorder window releases them. Each is held until every
    track in it is decided, or has had its chance, or the wait is over; then it leaves with the
    names of that moment. A track nobody was sure of by then leaves without a name: a single frame
    decides nothing. Pictures (`stored:images`, JPEGs without a session) are each by themselves:
    there one frame is all there will be. Late frames are named by the tracks they fit, else by
    themselves, and change nothing.

    Reading the same frames again makes the same tracks, with the same ids. What the memory has of
    a track is not counted twice: see `resume`.

    Args:
        rules: what makes a track.
        limits: how long frames wait.
        unknown_of: number of the unknown person that the memory has given a track; cheap.
        remembered: states of a camera's last tracks in the memory, asked once when the camera is
            first heard of: those open, and those that ended in its last minute.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        rules: TrackRules,
        limits: WaitLimits,
        unknown_of: Callable[[str], int | None] = lambda _: None,
        remembered: Callable[[str], Sequence[TrackState]] = lambda _: (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules = rules
        self._limits = limits
        self._unknown_of = unknown_of
        self._remembered = remembered
        self._clock = clock
        self._changes = Changes(unknown_of, clock)
        self._lanes: OrderedDict[tuple[int, str], _Lane[T]] = OrderedDict()
        self._held_bytes = 0
        self._swept_s = clock()
        self._picture_rules = TrackRules(
            1, rules.lost_s, rules.unknown_after_s, rules.unknown_min_quality
        )

    def push(
        self,
        item: T,
        frame: Frame,
        result: IdentifiedFrame,
        snapshot: Snapshot,
        *,
        late: bool = False,
        partition: int = 0,
    ) -> list[Named[T]]:
        """Take a frame in; what may be published now, in order per camera.

        Args:
            item: given back as it is.
            frame: the next of its camera, or a late one.
            result: what `identify` made of it with `snapshot`; changed here.
            snapshot: the gallery.
            late: whether a later frame of its camera came before.
            partition: of `frames.processed` it was read from.
        """
        lane = self._lane(partition, frame.key.camera)
        if not frame.key.session:
            return [self._picture(item, frame, result, snapshot)]
        if late:
            return [self._late(lane, item, frame, result)]
        released = self._begin_session(lane, frame.key.session)
        lane.heard_s = self._clock()
        if frame.record.frame.source == _PICTURES:
            return [*released, self._picture(item, frame, result, snapshot)]
        tracks = lane.tracks.see(frame, result, snapshot)
        held = _Held(item, frame, result, tracks, lane.heard_s)
        lane.held.append(held)
        self._held_bytes += held.size_bytes
        return released + self._release(lane, lane.heard_s)

    def due(self, coming: Iterable[tuple[int, str]] = ()) -> list[Named[T]]:
        """What has waited long enough by now; also ends tracks of cameras that are silent.

        Args:
            coming: partitions and cameras of which a later frame waits for an earlier one. They
                are not silent, however long a worker that died keeps that one.
        """
        now_s = self._clock()
        for where in coming:
            if (lane := self._lanes.get(where)) is not None:
                lane.heard_s = now_s
        released: list[Named[T]] = []
        for lane in self._lanes.values():
            if lane.held:
                released += self._release(lane, now_s)
        if now_s - self._swept_s >= _SWEEP_EVERY_S:
            self._swept_s = now_s
            for lane in self._lanes.values():
                if now_s - lane.heard_s > self._rules.lost_s + _SILENCE_GRACE_S:
                    lane.tracks.end(for_good=False)
        return released

    def let_go(self) -> list[Named[T]]:
        """Everything that is held, with what is known by now: somebody else takes over."""
        return [self._let_go(lane) for lane in self._lanes.values() for _ in range(len(lane.held))]

    def wait_s(self) -> float | None:
        """Seconds until `due` has something; None when nothing is held."""
        now_s = self._clock()
        waits = [self._due_at_s(lane) for lane in self._lanes.values() if lane.held]
        return max(0.0, min(waits) - now_s) if waits else None

    def changes(self, *, everything: bool = False) -> list[TrackState]:
        """States of confirmed tracks that changed since the last call.

        A track is told at most about once a second, besides its confirmation, a change of its
        name and its end.

        Args:
            everything: also those told a moment ago: then every frame released so far is in the
                states given out so far, and its offset may be committed once they are written.
        """
        return self._changes.take(everything=everything)

    def resume(self, states: Iterable[TrackState], partition: int = 0) -> None:
        """Go on with tracks that the memory has.

        Frames that a track has counted (up to its `last_seq`) get its name and are not counted
        again. Tracks of another session than the camera's newest end.

        Args:
            states: of any cameras, open or ended a moment ago.
            partition: of `frames.processed` the cameras are read from.
        """
        by_camera: dict[str, list[TrackState]] = {}
        for state in states:
            by_camera.setdefault(state.camera, []).append(state)
        for camera, found in by_camera.items():
            lane = self._make_lane(partition, camera)
            self._resume_lane(lane, found)

    def drop(self, partition: int) -> None:
        """Forget a partition that was taken away, with what is held of it."""
        for where in [where for where in self._lanes if where[0] == partition]:
            lane = self._lanes.pop(where)
            self._held_bytes -= sum(held.size_bytes for held in lane.held)
            self._changes.forget(where[1])

    @property
    def held_frames(self) -> int:
        """Frames that wait."""
        return sum(len(lane.held) for lane in self._lanes.values())

    def _lane(self, partition: int, camera: str) -> _Lane[T]:
        lane = self._lanes.get((partition, camera))
        if lane is None:
            lane = self._make_lane(partition, camera)
            if states := self._remembered(camera):
                self._resume_lane(lane, states)
        self._lanes.move_to_end((partition, camera))
        return lane

    def _make_lane(self, partition: int, camera: str) -> _Lane[T]:
        lane = self._lanes.get((partition, camera))
        if lane is None:
            lane = _Lane(CameraTracks(self._rules, self._changes.mark), self._clock())
            self._lanes[(partition, camera)] = lane
            self._forget_idle_lanes()
        return lane

    def _forget_idle_lanes(self) -> None:
        excess = len(self._lanes) - _MAX_LANES
        if excess > 0:
            idle = [w for w, lane in self._lanes.items() if not lane.held][:excess]
            for where in idle:
                self._lanes.pop(where).tracks.end(for_good=True)

    def _resume_lane(self, lane: _Lane[T], states: Sequence[TrackState]) -> None:
        # Bare JPEGs are each by themselves: nothing goes on from them.
        ordered = sorted((s for s in states if s.session), key=lambda state: state.last_at)
        if not ordered:
            return
        lane.session = ordered[-1].session
        lane.heard_s = self._clock()
        for over in (True, False):
            lane.tracks.resume([s for s in ordered if (s.session != lane.session) is over])
            if over:
                lane.tracks.end(for_good=True)

    def _begin_session(self, lane: _Lane[T], session: str) -> list[Named[T]]:
        released: list[Named[T]] = []
        if session != lane.session:
            lane.tracks.end(for_good=True)
            released = [self._let_go(lane) for _ in range(len(lane.held))]
            lane.session = session
        return released

    def _release(self, lane: _Lane[T], now_s: float) -> list[Named[T]]:
        released = []
        while lane.held and (
            self._may_go(lane, now_s)
            or len(lane.held) > self._limits.max_frames
            or self._held_bytes > self._limits.max_bytes
        ):
            released.append(self._let_go(lane))
        return released

    def _may_go(self, lane: _Lane[T], now_s: float) -> bool:
        head = lane.held[0]
        if now_s >= self._due_at_s(lane) or head.settled:
            return True
        ahead = lane.held[-1].frame.key.captured_at - head.frame.key.captured_at
        return not head.frame.key.live and ahead >= timedelta(seconds=self._limits.stored_s)

    def _due_at_s(self, lane: _Lane[T]) -> float:
        head = lane.held[0]
        if head.frame.key.live:
            return head.pushed_s + self._limits.live_s
        return lane.heard_s + 2 * self._limits.stored_s

    def _let_go(self, lane: _Lane[T]) -> Named[T]:
        held = lane.held.popleft()
        self._held_bytes -= held.size_bytes
        give_names(held.result, held.tracks, self._unknown_of)
        ids = tuple(track.id for track in held.tracks)
        return Named(held.item, held.frame, held.result, ids)

    def _late(self, lane: _Lane[T], item: T, frame: Frame, result: IdentifiedFrame) -> Named[T]:
        same_session = frame.key.session == lane.session
        found = lane.tracks.find(frame, result) if same_session else [None] * len(result.faces)
        give_names(result, found, self._unknown_of)
        return Named(item, frame, result, ())

    def _picture(
        self, item: T, frame: Frame, result: IdentifiedFrame, snapshot: Snapshot
    ) -> Named[T]:
        tracks = []
        for sight in sights(frame, result):
            track = Track(sight, self._picture_rules)
            track.revise(snapshot.version, matrix_for(frame, snapshot))
            track.end_picture(sight)
            self._changes.mark(track)
            tracks.append(track)
        give_names(result, tracks, self._unknown_of)
        return Named(item, frame, result, tuple(track.id for track in tracks))
