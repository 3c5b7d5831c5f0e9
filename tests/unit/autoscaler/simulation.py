"""Cameras, Kafka and workers as numbers, one step a tenth of a second; the autoscaler is the real.

Workers take time to start, and to drain; whenever one comes or goes all of them stand still for a
moment; one that dies keeps its partitions until Kafka misses it. The clock is the simulation's.
"""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from autoscaler.containers import Worker
from autoscaler.decision import Limits
from autoscaler.load import Sample
from autoscaler.service import Autoscaler
from services.errors import BrokerUnavailable
from services.lifecycle.health import Health

STEP_S = 0.1

Frames = Callable[[float], float]
"""Second to frames/s."""


@dataclass(frozen=True, slots=True)
class World:
    """How things are.

    Attributes:
        fps_per_worker: what one can do.
        partitions: of the topic.
        start_s: from the start of a container to its first frame.
        drain_s: from the stop signal to the end.
        rebalance_s: for so long nobody works when a worker comes or goes.
        missed_after_s: when Kafka takes a dead worker's partitions from it.
        restart_s: when the engine starts a dead one again; never when None.
        max_frame_age_s: older frames are skipped; none when 0.
        look_every_s: between two looks of the autoscaler.
        jitter: share by which what arrives differs from step to step.
    """

    fps_per_worker: float = 25.0
    partitions: int = 12
    start_s: float = 20.0
    drain_s: float = 4.0
    rebalance_s: float = 1.5
    missed_after_s: float = 10.0
    restart_s: float | None = 1.0
    max_frame_age_s: float = 0.0
    look_every_s: float = 2.0
    jitter: float = 0.1


@dataclass(slots=True)
class Simulated:
    """One worker container."""

    number: int
    ready_at_s: float
    broken: bool = False
    told_at_s: float | None = None
    dead_since_s: float | None = None
    ended: bool = False

    @property
    def name(self) -> str:
        return f"worker-{self.number}"


@dataclass(frozen=True, slots=True)
class Moment:
    """What was so after one look; `lag_s` is the age of the oldest frame that waits."""

    at_s: float
    arriving_fps: float
    lag_frames: float
    lag_s: float
    running: int
    ready: int
    draining: int
    wanted: int
    why: str


@dataclass
class Simulation:
    """Runs a load; `moments` says what became of it.

    It is the meter, the workers and the turn of the autoscaler that it drives. `overlaps` counts
    workers that still drained when more were told to.
    """

    frames: Frames
    limits: Limits = field(default_factory=Limits)
    world: World = field(default_factory=World)
    workers: int = 1
    seed: int = 1
    silent: Callable[[float], bool] = lambda _: False
    turn: bool = True

    def __post_init__(self) -> None:
        self.now_s = 0.0
        self.moments: list[Moment] = []
        self.overlaps = 0
        self._random = random.Random(self.seed)
        self._written = self._done = self._skipped = 0.0
        self._curve: deque[tuple[float, float]] = deque([(0.0, 0.0)])
        self._still_until_s = 0.0
        self._there = [Simulated(n + 1, 0.0) for n in range(self.workers)]
        self._holders: frozenset[str] = frozenset()
        self._arriving_fps = 0.0
        self._autoscaler = Autoscaler(
            self, self, self, self.limits, Health(), clock=lambda: self.now_s
        )

    def run(self, seconds: float) -> Simulation:
        """Go on for a while."""
        end_s = self.now_s + seconds
        look_at_s = self.now_s
        while self.now_s < end_s:
            self._step()
            if self.now_s >= look_at_s:
                look_at_s = self.now_s + self.world.look_every_s
                self._autoscaler.look()
                self._remember()
        return self

    def kill(self, count: int = 1) -> None:
        """Workers die."""
        for each in [w for w in self._there if w.dead_since_s is None][:count]:
            each.dead_since_s = self.now_s

    def break_one(self) -> None:
        """A worker goes on to run, and takes no frame any more."""
        self._there[0].broken = True

    # what the autoscaler asks and does

    def mine(self) -> bool:
        return self.turn

    def sample(self) -> Sample:
        if self.silent(self.now_s):
            raise BrokerUnavailable("nobody answers")
        return Sample(
            at_s=self.now_s,
            written=int(self._written),
            done=int(self._done),
            skipped=int(self._skipped),
            partitions=self.world.partitions,
            members=self._holders,
            settled=self.now_s >= self._still_until_s,
        )

    def all(self) -> list[Worker]:
        return [
            Worker(
                id=each.name,
                name=each.name,
                number=each.number,
                live=not each.ended and each.dead_since_s is None,
                healthy=not each.broken,
                draining=each.told_at_s is not None,
            )
            for each in self._there
        ]

    def start(self, count: int) -> list[str]:
        for each in [w for w in self._there if w.dead_since_s is not None][:count]:
            self._revive(each)
            count -= 1
        taken = {each.number for each in self._there}
        numbers = list(itertools.islice((n for n in itertools.count(1) if n not in taken), count))
        made = [Simulated(number, self.now_s + self.world.start_s) for number in numbers]
        self._there += made
        return [each.name for each in made]

    def drain(self, workers: Sequence[Worker]) -> None:
        self.overlaps += sum(each.told_at_s is not None for each in self._there)
        names = {worker.name for worker in workers}
        for each in self._there:
            if each.name in names:
                each.told_at_s = self.now_s

    def clear(self) -> list[str]:
        ended = [each.name for each in self._there if each.ended]
        self._there = [each for each in self._there if not each.ended]
        return ended

    # what happens by itself

    def _revive(self, worker: Simulated) -> None:
        worker.dead_since_s = None
        worker.ready_at_s = self.now_s + self.world.start_s

    def _step(self) -> None:
        self.now_s += STEP_S
        for each in self._there:
            self._live(each)
        holding = [each for each in self._there if self._holds(each)]
        names = frozenset(each.name for each in holding[: self.world.partitions])
        if names != self._holders:
            self._holders = names
            self._still_until_s = self.now_s + self.world.rebalance_s
        noise = 1 + self.world.jitter * self._random.uniform(-1, 1)
        self._arriving_fps = self.frames(self.now_s) * noise
        self._written += self._arriving_fps * STEP_S
        self._curve.append((self.now_s, self._written))
        if self.now_s >= self._still_until_s and self._holders:
            self._work([each for each in holding if each.dead_since_s is None and not each.broken])

    def _live(self, worker: Simulated) -> None:
        if worker.told_at_s is not None and self.now_s - worker.told_at_s >= self.world.drain_s:
            worker.ended = True
        restart_s = self.world.restart_s
        dead_s = worker.dead_since_s
        if dead_s is not None and restart_s is not None and self.now_s - dead_s >= restart_s:
            self._revive(worker)

    def _holds(self, worker: Simulated) -> bool:
        if worker.broken or worker.ended or worker.told_at_s is not None:
            return False
        if worker.dead_since_s is not None:
            return self.now_s - worker.dead_since_s < self.world.missed_after_s
        return worker.ready_at_s <= self.now_s

    def _work(self, able: Sequence[Simulated]) -> None:
        working = min(len(able), self.world.partitions)
        share = working / len(self._holders)
        age_s = self.world.max_frame_age_s
        waiting = self._written - self._done
        if age_s > 0:
            too_old = max(0.0, waiting - self._arriving_fps * age_s) * share
            self._skipped += too_old
            self._done += too_old
            waiting -= too_old
        self._done += min(waiting * share, working * self.world.fps_per_worker * STEP_S)

    def _remember(self) -> None:
        plan = self._autoscaler.plan
        workers = self.all()
        while len(self._curve) > 1 and self._curve[1][1] <= self._done:
            self._curve.popleft()
        lag = max(0.0, self._written - self._done)
        self.moments.append(
            Moment(
                at_s=self.now_s,
                arriving_fps=self.frames(self.now_s),
                lag_frames=lag,
                lag_s=self.now_s - self._curve[0][0] if lag >= 1 else 0.0,
                running=sum(w.live and not w.draining for w in workers),
                ready=len(self._holders),
                draining=sum(w.draining for w in workers),
                wanted=0 if plan is None else plan.wanted,
                why="" if plan is None else plan.why,
            )
        )

    # what is asked about a run

    def between(self, first_s: float, last_s: float) -> list[Moment]:
        """The moments of a time."""
        return [moment for moment in self.moments if first_s <= moment.at_s < last_s]

    def worst_lag_s(self, first_s: float = 0, last_s: float = float("inf")) -> float:
        """The longest lag of a time."""
        return max(moment.lag_s for moment in self.between(first_s, last_s))

    def changes(self, first_s: float = 0, last_s: float = float("inf")) -> list[int]:
        """By how much the wanted number changed, each time it did."""
        wanted = [moment.wanted for moment in self.between(first_s, last_s)]
        return [b - a for a, b in itertools.pairwise(wanted) if a != b]

    @property
    def broken(self) -> int:
        """Workers that run and do nothing."""
        return sum(each.broken for each in self._there)

    @property
    def worker_minutes(self) -> float:
        """How long all workers ran together, with those that drain."""
        return sum((m.running + m.draining) * self.world.look_every_s for m in self.moments) / 60

    @property
    def skipped(self) -> float:
        """Frames left out as too old."""
        return self._skipped


def steps(*parts: tuple[float, float]) -> Frames:
    """Frames/s that change at once: `(from second, frames/s)`."""

    def frames(at_s: float) -> float:
        return next((fps for first_s, fps in reversed(parts) if at_s >= first_s), 0.0)

    return frames


def recorded(counts: Iterable[float], every_s: float) -> Frames:
    """Frames/s as they were once counted, one number per `every_s` seconds."""
    numbers = list(counts)

    def frames(at_s: float) -> float:
        return numbers[min(int(at_s / every_s), len(numbers) - 1)]

    return frames
