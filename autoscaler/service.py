"""The way of one decision: measure, decide, act; then wait for the next look."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

from autoscaler.containers import EngineError, Worker, Workers
from autoscaler.decision import Limits, Plan, Pool, decide
from autoscaler.load import History, Load
from autoscaler.measuring import Meter
from autoscaler.turn import Turn
from services.errors import BrokerUnavailable
from services.lifecycle import metrics
from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal

log = structlog.get_logger()

_WINDOW_S = 6.0
_LONGEST_PAUSE_S = 300.0
_JOINING_S = 20.0


class Autoscaler:
    """Keeps the number of workers right, until it is told to stop; then leaves them as they are.

    Without an answer of Kafka or of the engine nothing is changed. Nor is anything where not one
    worker runs: somebody has stopped them all, and there is nothing to make a copy of.

    Args:
        meter: tells the load.
        workers: the containers.
        turn: whether this one acts, or another autoscaler.
        limits: what the user asked for.
        health: told how Kafka and the engine answer.
        drain_warning_s: a worker that takes longer to end is told of.
        clock: seconds, monotonic; the meter's.
    """

    def __init__(
        self,
        meter: Meter,
        workers: Workers,
        turn: Turn,
        limits: Limits,
        health: Health,
        *,
        drain_warning_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._meter = meter
        self._workers = workers
        self._turn = turn
        self._limits = limits
        self._health = health
        self._clock = clock
        self._drain_warning_s = drain_warning_s
        self._history = History(_WINDOW_S)
        self._plan: Plan | None = None
        self._told_s: dict[str, float] = {}
        self._slow: set[str] = set()
        self._said: dict[str, str] = {}
        self._started_s = -_LONGEST_PAUSE_S
        self._mine_s = clock()
        self._pause_s = limits.cool_down_up_s

    @property
    def plan(self) -> Plan | None:
        """What holds now; None before the first look."""
        return self._plan

    def run(self, stop: StopSignal, every_s: float) -> None:
        """Look again and again until `stop`."""
        while not stop.stopped:
            self._health.beat()
            self.look()
            stop.wait(every_s)

    def look(self) -> None:
        """One look, and what follows from it."""
        mine = self._turn.mine()
        load = self._load()
        try:
            removed = self._workers.clear()
            workers = self._workers.all()
        except EngineError as error:
            self._say("docker", str(error))
            return
        self._say("docker", "")
        for name in removed:
            log.info("worker drained and removed", worker=name)
        self._decide(load, workers, mine)

    def _load(self) -> Load | None:
        try:
            self._history.add(self._meter.sample())
        except BrokerUnavailable as error:
            self._say("kafka", str(error))
            self._history.forget()
            return None
        self._say("kafka", "")
        return self._history.load()

    def _decide(self, load: Load | None, workers: Sequence[Worker], mine: bool) -> None:
        live = [worker for worker in workers if worker.live and not worker.draining]
        draining = [worker for worker in workers if worker.draining]
        self._watch_draining(draining)
        pool = Pool(len(live), len(draining))
        now_s = self._clock()
        self._mine_s = now_s if mine else self._mine_s
        if not mine or not live:
            # From nothing, or from another's decisions, it begins anew.
            self._plan = None
            if mine or now_s - self._mine_s > _JOINING_S:
                self._say("turn", "" if mine else "another autoscaler of these workers acts")
            self._say("workers", "" if live or not mine else "no worker runs: none is started")
            self._show(load, pool, None)
            return
        self._say("turn", "")
        self._say("workers", "")
        before = self._plan or Plan(wanted=pool.running)
        self._plan = decide(load, pool, before, self._limits)
        if self._plan.wanted != before.wanted:
            log.info(
                "number of workers changes",
                before=before.wanted,
                wanted=self._plan.wanted,
                why=self._plan.why,
            )
            self._pause_s = 0.0
        else:
            log.debug("number of workers stays", wanted=self._plan.wanted, why=self._plan.why)
        self._show(load, pool, self._plan)
        if load is not None:
            self._act(self._plan, live, draining)

    def _act(self, plan: Plan, live: Sequence[Worker], draining: Sequence[Worker]) -> None:
        """One thing at a time: start what is missing, or stop what is too much."""
        missing = plan.wanted - len(live)
        try:
            if missing > 0:
                self._start(missing)
            elif missing < 0 and not draining:
                self._stop(live, -missing)
            else:
                self._pause_s = 0.0
        except EngineError as error:
            log.warning("the number of workers is not right yet", error=str(error))

    def _start(self, missing: int) -> None:
        """Those that end again and again are started less and less often."""
        now_s = self._clock()
        if now_s - self._started_s < self._pause_s:
            return
        self._started_s = now_s
        self._pause_s = min(max(2 * self._pause_s, self._limits.cool_down_up_s), _LONGEST_PAUSE_S)
        for name in self._workers.start(missing):
            log.info("worker started", worker=name)

    def _stop(self, live: Sequence[Worker], too_many: int) -> None:
        """First those that are not well, then, as compose does, those with the highest numbers."""
        order = sorted(live, key=lambda worker: (worker.healthy, -worker.number))
        chosen = order[:too_many]
        self._workers.drain(chosen)
        for worker in chosen:
            log.info("worker told to finish", worker=worker.name)

    def _watch_draining(self, draining: Sequence[Worker]) -> None:
        now_s = self._clock()
        self._told_s = {each.id: self._told_s.get(each.id, now_s) for each in draining}
        self._slow &= self._told_s.keys()
        for worker in draining:
            seconds = now_s - self._told_s[worker.id]
            if seconds > self._drain_warning_s and worker.id not in self._slow:
                self._slow.add(worker.id)
                log.warning(
                    "worker does not end; it is not killed",
                    worker=worker.name,
                    seconds=round(seconds),
                )

    def _say(self, part: str, problem: str) -> None:
        """Log a problem once, and that it is over."""
        if part in ("kafka", "docker"):
            self._health.ready(part, ok=not problem, detail=problem or "answers")
        if problem == self._said.get(part, ""):
            return
        self._said[part] = problem
        if problem:
            log.warning("workers stay as they are", because=problem)
        else:
            log.info("goes on", after=part)

    def _show(self, load: Load | None, pool: Pool, plan: Plan | None) -> None:
        taking = 0 if load is None else min(load.taking, pool.running)
        states = {"ready": taking, "starting": pool.running - taking, "draining": pool.draining}
        for state, count in states.items():
            metrics.AUTOSCALER_WORKERS.labels(state).set(count)
        metrics.AUTOSCALER_WANTED.set(pool.running if plan is None else plan.wanted)
        if load is not None:
            metrics.AUTOSCALER_LAG.set(load.lag_s)
