"""Every service on this machine: a broker, the children in the order of the data path, an end.

The way of a run, in order: broker → topics → workers, identifier, viewer → all ready → producer →
watch → producer ends → what is under way is finished → the others end → report.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog
from confluent_kafka import KafkaException
from rich.live import Live

from services.broker.kafka import KafkaOptions
from services.broker.seam import Broker
from services.broker.select import start_broker
from services.broker.settings import default_data_dir
from services.cli import screen
from services.cli.children import Child, ChildFailedError, end_all, free_port
from services.cli.credentials import Tokens
from services.cli.pictures import save_pictures
from services.cli.report import Report
from services.cli.settings import UpSettings
from services.cli.textfiles import read_counts
from services.cli.watcher import WATCHER_GROUP, Watcher
from services.errors import FatalError
from services.kafka.clients import wait_for_broker
from services.kafka.lag import GroupLag
from services.kafka.topics import ensure_topics, standing_topics
from services.lifecycle.stopping import StopSignal

log = structlog.get_logger()

WORKER_GROUP = "facestream-worker"
IDENTIFIER_GROUP = "facestream-identifier"
_READY_WITHIN_S = 180.0
_LOOK_EVERY_S = 0.25
_LINE_EVERY_S = 5.0
_FINISH_WITHIN_S = 10.0
_STALLED_AFTER_S = 90.0
_MAX_RESTARTS = 20
# Half of what the in-memory broker keeps of one partition (5 MB).
_MEMORY_BACKLOG_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Groups:
    """The consumer groups of a run and the topic each reads."""

    worker: tuple[str, str]
    identifier: tuple[str, str]
    watcher: tuple[str, str]


class Stack:
    """One run of every service.

    Args:
        settings: what the user asked for.
        stop: set when the user wants an end.
        on_page: called with the page's address once it is there.
    """

    def __init__(
        self,
        settings: UpSettings,
        stop: StopSignal,
        on_page: Callable[[str], None] | None = None,
    ) -> None:
        self._on_page = on_page
        self._settings = settings
        self._stop = stop
        self._children: list[Child] = []
        self._producer: Child | None = None
        self._cameras: Child | None = None
        self._started_s = 0.0
        self.page = ""

    def run(self) -> Report:
        """Bring everything up, run, bring everything down.

        Raises:
            FatalError: something did not start, or a source failed.
        """
        with ExitStack() as at_exit:
            folder = _fresh_logs(self._settings.data_dir or default_data_dir())
            broker = self._bring_up_broker(at_exit)
            settings = self._settings
            ensure_topics(settings, standing_topics(settings))
            watcher = Watcher(settings, keep_best=settings.save is not None)
            watcher.start()
            at_exit.callback(watcher.stop)
            at_exit.callback(lambda: end_all(self._children))
            self._start_services(folder, broker)
            failure = None
            try:
                self._watch(watcher)
            except FatalError as error:
                failure = error
            self._wind_down(watcher)
            if failure is not None:
                raise failure
            report = self._report(watcher, broker, folder)
            if settings.save is not None:
                save_pictures(settings.save, watcher.best)
            return report

    def _bring_up_broker(self, at_exit: ExitStack) -> Broker | None:
        if "KAFKA_BOOTSTRAP_SERVERS" in os.environ or (
            "kafka_bootstrap_servers" in self._settings.model_fields_set
        ):
            wait_for_broker(self._settings, timeout_s=15)
            return None
        settings = self._settings
        options = KafkaOptions(heap_mb=settings.broker_heap_mb)
        broker = start_broker(
            settings.embedded_broker,
            settings.data_dir or default_data_dir(),
            options,
            cache_dir=settings.cache_dir,
        )
        at_exit.callback(broker.stop)
        screen.console.print(broker.explain)
        self._settings = _adapted(settings, broker.environment)
        return broker

    def _start_services(self, folder: Path, broker: Broker | None) -> None:
        settings = self._settings
        viewer_port, api_port = _port("VIEWER_PORT", 5010), _port("API_PORT", 5011)
        ingest_port = _port("INGEST_PORT", 5012)
        common = {
            "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "KAFKA_GROUP_PROTOCOL": settings.kafka_group_protocol,
            "DATA_DIR": str(settings.data_dir or default_data_dir()),
            "VIEWER_PORT": str(viewer_port),
            "API_PORT": str(api_port),
            "IDENTIFIER_URL": _own_address("API_TLS_CERT", api_port),
            "INGEST_URL": _own_address("INGEST_TLS_CERT", ingest_port),
            # Of the one producer that takes cameras added on the page, see below.
            "INGEST_PORT": "0",
            "RUNTIME_CAMERAS": "false",
        }
        tokens = Tokens.of(os.environ)
        if broker is not None:
            common |= broker.environment
        if settings.people_dir is not None:
            common["PEOPLE_DIR"] = str(settings.people_dir.resolve())
        for slot in range(settings.worker_count):
            env = common | tokens.worker
            env |= {
                "GROUP_ID": WORKER_GROUP,
                "TRANSACTIONAL_ID": f"{WORKER_GROUP}-{socket.gethostname()}-{slot}",
            }
            self._children.append(Child(f"worker-{slot}", "worker", env, True, folder))
        env = common | tokens.identifier | {"GROUP_ID": IDENTIFIER_GROUP}
        self._children.append(Child("identifier", "identifier", env, True, folder))
        self._children.append(Child("viewer", "viewer", common | tokens.viewer, True, folder))
        on_page = tokens.producer | {"SOURCES": "", "SOURCE": "", "RUNTIME_CAMERAS": "true"}
        on_page["INGEST_PORT"] = str(ingest_port)
        self._cameras = Child("cameras", "producer", common | on_page, True, folder)
        self._children.append(self._cameras)
        for child in self._children:
            child.start()
        self._until_ready()
        scheme = "https" if os.environ.get("VIEWER_TLS_CERT") else "http"
        self.page = f"{scheme}://127.0.0.1:{viewer_port}/"
        screen.console.print(f"page   {self.page}\nAPI    {common['IDENTIFIER_URL']}/api/v1/people")
        if self._on_page is not None:
            self._on_page(self.page)
        if settings.sources:
            env = common | tokens.producer | {"REPORT_CAMERAS": "true"}
            env |= {"SOURCES": ",".join(s.replace(",", "%2C") for s in settings.sources)}
            if broker is not None and broker.kind == "memory":
                env |= self._memory_backlog()
            self._producer = Child("producer", "producer", env, False, folder)
            self._children.insert(0, self._producer)
            self._producer.start()
        self._started_s = time.monotonic()

    def _memory_backlog(self) -> dict[str, str]:
        groups = self._groups()
        pairs = (groups.worker, groups.identifier, groups.watcher)
        return {
            "BACKLOG_GROUPS": ",".join(f"{group}:{topic}" for group, topic in pairs),
            "BACKLOG_MAX_BYTES": str(_MEMORY_BACKLOG_BYTES),
        }

    def _groups(self) -> Groups:
        topics = self._settings
        return Groups(
            worker=(WORKER_GROUP, topics.topic_raw),
            identifier=(IDENTIFIER_GROUP, topics.topic_processed),
            watcher=(WATCHER_GROUP, topics.topic_identified),
        )

    def _until_ready(self) -> None:
        deadline_s = time.monotonic() + _READY_WITHIN_S
        waiting = list(self._children)
        with screen.console.status("starting services"):
            while waiting and not self._stop.stopped:
                waiting = [child for child in waiting if not child.is_ready()]
                if time.monotonic() > deadline_s:
                    raise ChildFailedError(f"not ready in time: {waiting[0].last_words()}")
                self._stop.wait(_LOOK_EVERY_S / 2)

    def _watch(self, watcher: Watcher) -> None:
        """Until the user, the clock or the last file says that it is enough."""
        settings = self._settings
        live = Live(console=screen.console, auto_refresh=False, transient=True)
        groups = self._groups()
        line_at_s = time.monotonic() + _LINE_EVERY_S
        with GroupLag(settings, *groups.worker) as lag, ExitStack() as shown:
            if screen.console.is_terminal:
                shown.enter_context(live)
            while not self._stop.wait(_LOOK_EVERY_S):
                elapsed_s = time.monotonic() - self._started_s
                if settings.seconds and elapsed_s >= settings.seconds:
                    return
                self._keep_running()
                if self._producer is not None and self._producer.status is not None:
                    if self._producer.status != 0:
                        raise ChildFailedError(self._producer.last_words())
                    if settings.exit_when_done:
                        return
                if screen.console.is_terminal:
                    table = screen.status_table(watcher, _records(lag), self.page)
                    live.update(table, refresh=True)
                elif time.monotonic() > line_at_s:
                    screen.console.print(screen.status_line(watcher, _records(lag)))
                    line_at_s = time.monotonic() + _LINE_EVERY_S

    def _keep_running(self) -> None:
        for child in self._children:
            if child.status is not None and child.restart and child.restarts >= _MAX_RESTARTS:
                raise ChildFailedError(f"given up: {child.last_words()}")
            words = child.last_words() if child.status is not None and child.restart else ""
            if child.keep_running():
                screen.console.print(f"{words}; started again")

    def _wind_down(self, watcher: Watcher) -> None:
        """End the producers, let what is under way be finished, end the others."""
        sources = [child for child in (self._producer, self._cameras) if child is not None]
        end_all(sources)
        # Nothing starts these again from here on.
        self._children = [child for child in self._children if child not in sources]
        complete = self._settings.exit_when_done and not self._stop.stopped
        patience_s = _STALLED_AFTER_S if complete else _FINISH_WITHIN_S
        groups = self._groups()
        with ExitStack() as lags:
            watched = [
                lags.enter_context(GroupLag(self._settings, *pair))
                for pair in (groups.worker, groups.identifier, groups.watcher)
            ]
            seen, moved_s = -1, time.monotonic()
            while not self._finished(watched):
                now_seen = sum(c.identified for c in watcher.sightings.cameras.values())
                if complete and now_seen != seen:
                    seen, moved_s = now_seen, time.monotonic()
                if time.monotonic() - moved_s > patience_s:
                    if complete:
                        log.warning("frames were still under way", idle_s=patience_s)
                    break
                self._keep_running()
                time.sleep(_LOOK_EVERY_S / 2)  # an end is under way already: nothing to wait on
        end_all(self._children)

    @staticmethod
    def _finished(watched: list[GroupLag]) -> bool:
        try:
            return all(lag.is_drained() for lag in watched)
        except KafkaException:
            return False

    def _report(self, watcher: Watcher, broker: Broker | None, folder: Path) -> Report:
        counts = read_counts(folder)
        sightings = watcher.sightings
        cameras = sorted(set(sightings.cameras) | set(counts.taken))
        return {
            "broker": "external" if broker is None else broker.kind,
            "model_pack": sightings.model_pack,
            "threshold": sightings.threshold,
            "seconds": round(time.monotonic() - self._started_s, 1),
            "cameras": {
                name: sightings.camera_report(
                    name,
                    counts.taken[name],
                    dict(counts.dropped[name]),
                    counts.dead_letters[name],
                )
                for name in cameras
            },
        }


def _fresh_logs(data_dir: Path) -> Path:
    """The folder of this run's logs and metrics; the last run's are removed."""
    folder = data_dir / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.log"), *folder.glob("*.prom")):
        old.unlink()
    return folder


def _adapted(settings: UpSettings, variables: Mapping[str, str]) -> UpSettings:
    """The settings, with what a broker needs its clients to be told."""
    own = {name.lower(): value for name, value in variables.items()}
    fields = {name: own[name] for name in own.keys() & type(settings).model_fields.keys()}
    return settings.model_validate(settings.model_dump() | fields)


def _records(lag: GroupLag) -> int | None:
    try:
        return lag.records()
    except KafkaException:
        return None


def _own_address(certificate: str, port: int) -> str:
    """Where a service listens on this machine; by name where a certificate has to fit."""
    return (
        f"https://localhost:{port}" if os.environ.get(certificate) else f"http://127.0.0.1:{port}"
    )


def _port(variable: str, usual: int) -> int:
    """The port asked for, else the usual one, else (when that is taken) any free one."""
    if os.environ.get(variable):
        return int(os.environ[variable])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", usual))
        except OSError:
            return free_port()
    return usual
