"""One run of the pipeline over files: new ones from their pixels, known ones from what is kept."""

from __future__ import annotations

import json
import os
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from confluent_kafka import KafkaException

from services.broker.kafka import KafkaOptions
from services.broker.select import start_broker
from services.cli.children import Child, ChildFailedError, end_all, free_port
from services.cli.tag.collector import Collector, Sender
from services.cli.tag.found import Reference
from services.cli.tag.settings import TagSettings
from services.errors import FatalError
from services.kafka.clients import make_admin, wait_for_broker
from services.kafka.lag import GroupLag
from services.kafka.topics import ensure_topics, standing_topics
from services.lifecycle.stopping import StopSignal
from services.records.facestream_pb2 import ProcessedFrame

_READY_WITHIN_S = 300.0
_STALLED_AFTER_S = 120.0
_LOOK_EVERY_S = 0.05
_MEMORY_BACKLOG_BYTES = 2_000_000
_QUIET = (
    "DATABASE_URL",
    "MEDIA_URL",
    "WEBHOOK_URLS",
    "MQTT_URL",
    "PERSON",
    "REFERENCE",
    "API_TOKEN",
    "API_TLS_CERT",
    "API_TLS_KEY",
)


class InterruptedRun(FatalError):  # noqa: N818 - says what happened
    """The user wanted an end."""

    exit_code = 130


class Pipeline:
    """A broker, or topics of its own, with a worker where pixels are to be looked at.

    Use it as a context manager; everything it brought up is gone afterwards.

    Args:
        scratch: an empty folder that goes away.
        people: folder of people.
        stop: set when the user wants an end.
    """

    def __init__(self, scratch: Path, people: Path, stop: StopSignal) -> None:
        self._scratch = scratch
        self._people = people
        self._stop = stop
        self._at_exit = ExitStack()
        self._children: list[Child] = []
        self._api_port = free_port()
        self._prefix = f"tag-{uuid.uuid4().hex[:8]}."
        self._env: dict[str, str] = {}
        self._settings = TagSettings.load()
        self._in_memory = False

    def __enter__(self) -> Pipeline:
        with ExitStack() as at_exit:
            self._bring_up(at_exit)
            self._at_exit = at_exit.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._at_exit.close()

    def run(
        self,
        sources: Mapping[str, Path],
        stored: Callable[[], Iterator[ProcessedFrame]],
        progress: Callable[[int], None],
    ) -> Collector:
        """Send files and kept frames through; what came out.

        Args:
            sources: pictures' folder or video by camera name.
            stored: frames that need no worker.
            progress: told how many frames have their names by now.

        Raises:
            ChildFailedError: a service gave up.
            InterruptedRun: the user wanted an end.
        """
        collector = Collector(self._settings, self._groups["reader"])
        self._at_exit.callback(collector.stop)
        collector.start()
        self._start_services(with_worker=bool(sources))
        sender = Sender(self._settings, collector, stored)
        producer = self._start_producer(sources)
        sender.start()
        self._until_through(producer, sender, collector, progress)
        return collector

    def references(self, slugs: Sequence[str]) -> dict[str, Reference]:
        """Reference photos of some people, by id."""
        found = {}
        for slug in slugs:
            path = f"/api/v1/people/{urllib.parse.quote(slug)}"
            for face in self._ask(path)["faces"]:
                found[face["id"]] = Reference(face["id"], face["sha256"], face["origin"])
        return found

    def enrolled(self) -> int:
        """How many people the folder's photos made."""
        return len(self._ask("/api/v1/people")["people"])

    def refused_photos(self) -> list[str]:
        """What the identifier said of photos that it did not take."""
        lines = self._logged("identifier", "photo not enrolled")
        return [f"{line.get('photo')}: {line.get('why')}" for line in lines]

    def broken_sources(self) -> dict[str, str]:
        """What the producer said of sources that it could not read to their end, by camera."""
        lines = self._logged("producer", "source failed")
        return {str(line.get("camera")): str(line.get("error")) for line in lines}

    def _logged(self, child_name: str, event: str) -> list[dict[str, object]]:
        logs = [child.log_path for child in self._children if child.name == child_name]
        lines = [
            json.loads(line)
            for log in logs
            for line in log.read_text().splitlines()
            if line[:1] == "{"
        ]
        return [line for line in lines if line.get("event") == event]

    def _bring_up(self, at_exit: ExitStack) -> None:
        own = self._topics()
        self._settings = self._settings.model_validate(
            self._settings.model_dump() | {name.lower(): topic for name, topic in own.items()}
        )
        self._env = own | {"LOG_FORMAT": "json"} | dict.fromkeys(_QUIET, "")
        if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
            wait_for_broker(self._settings, timeout_s=15)
            at_exit.callback(self._delete_topics)
        else:
            broker = start_broker(
                self._settings.embedded_broker,
                self._scratch / "broker",
                KafkaOptions(heap_mb=self._settings.broker_heap_mb),
                cache_dir=self._settings.cache_dir,
            )
            at_exit.callback(broker.stop)
            self._in_memory = broker.kind == "memory"
            self._env |= broker.environment
            fields = type(self._settings).model_fields
            adapted = {n.lower(): v for n, v in broker.environment.items() if n.lower() in fields}
            self._settings = self._settings.model_validate(self._settings.model_dump() | adapted)
        at_exit.callback(lambda: end_all(self._children))
        ensure_topics(self._settings, standing_topics(self._settings))

    def _topics(self) -> dict[str, str]:
        names = ("frames.raw", "frames.processed", "faces.detected", "faces.identified")
        own = {f"TOPIC_{name.split('.')[1].upper()}": self._prefix + name for name in names}
        own["TOPIC_EVENTS"] = f"{self._prefix}faces.events"
        own["TOPIC_PERSON_PREFIX"] = f"{self._prefix}faces.person."
        return own

    @property
    def _groups(self) -> dict[str, str]:
        return {name: self._prefix + name for name in ("worker", "identifier", "reader")}

    def _start_services(self, *, with_worker: bool) -> None:
        folder = self._scratch / "logs"
        folder.mkdir(parents=True)
        common = self._env | {"DATA_DIR": str(self._scratch / "data")}
        if with_worker:
            own = {"GROUP_ID": self._groups["worker"], "TRANSACTIONAL_ID": self._groups["worker"]}
            env = common | own | {"MAX_FRAME_AGE_S": "0"}
            self._children.append(Child("worker", "worker", env, True, folder))
        env = common | {
            "GROUP_ID": self._groups["identifier"],
            "PEOPLE_DIR": str(self._people.resolve()),
            "PUBLISH_PERSON_TOPICS": "false",
            "BACKFILL_ON_ENROL_DAYS": "0",
            "API_HOST": "127.0.0.1",
            "API_PORT": str(self._api_port),
        }
        self._children.append(Child("identifier", "identifier", env, True, folder))
        for child in self._children:
            child.start()
        deadline_s = time.monotonic() + _READY_WITHIN_S
        while not all(child.is_ready() for child in self._children):
            self._pause()
            if time.monotonic() > deadline_s:
                raise ChildFailedError("the services are not ready in time")

    def _start_producer(self, sources: Mapping[str, Path]) -> Child | None:
        if not sources:
            return None
        listed = (f"{name}={path}".replace(",", "%2C") for name, path in sources.items())
        env = self._env | {
            "SOURCES": ",".join(listed),
            "REALTIME": "false",
            "LOOP": "false",
            "FPS": "0",
            "MAX_SIDE": "0",
            "BACKLOG_GROUPS": ",".join(f"{group}:{topic}" for group, topic in self._read_by()),
        }
        if self._in_memory:
            env["BACKLOG_MAX_BYTES"] = str(_MEMORY_BACKLOG_BYTES)
        producer = Child("producer", "producer", env, False, self._scratch / "logs")
        self._children.insert(0, producer)
        producer.start()
        return producer

    def _read_by(self) -> list[tuple[str, str]]:
        groups, topics = self._groups, self._settings
        return [
            (groups["worker"], topics.topic_raw),
            (groups["identifier"], topics.topic_processed),
            (groups["reader"], topics.topic_processed),
            (groups["reader"], topics.topic_identified),
        ]

    def _until_through(
        self,
        producer: Child | None,
        sender: Sender,
        collector: Collector,
        progress: Callable[[int], None],
    ) -> None:
        seen, moved_s = -1, time.monotonic()
        with ExitStack() as lags:
            pairs = self._read_by() if producer is not None else self._read_by()[1:]
            watched = [lags.enter_context(GroupLag(self._settings, *pair)) for pair in pairs]
            while not (
                sender.is_done
                and (producer is None or producer.status is not None)
                and _drained(watched)
                and collector.is_complete
            ):
                self._pause()
                for child in self._children:
                    child.keep_running()
                if collector.named != seen:
                    seen, moved_s = collector.named, time.monotonic()
                    progress(seen)
                if time.monotonic() - moved_s > _STALLED_AFTER_S:
                    words = [c.last_words() for c in self._children if c.status is not None]
                    raise ChildFailedError("; ".join(words) or "the frames do not move any more")
        progress(collector.named)

    def _pause(self) -> None:
        if self._stop.wait(_LOOK_EVERY_S):
            raise InterruptedRun("interrupted; what was written is whole")

    def _ask(self, path: str) -> dict[str, list[dict[str, str]]]:
        address = f"http://127.0.0.1:{self._api_port}{path}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            found: dict[str, list[dict[str, str]]] = json.load(answer)
        return found

    def _delete_topics(self) -> None:
        admin = make_admin(self._settings)
        with suppress(KafkaException):
            mine = [t for t in admin.list_topics(timeout=10).topics if t.startswith(self._prefix)]
            for future in admin.delete_topics(mine).values():
                future.result(15)
            groups = admin.delete_consumer_groups(list(self._groups.values()))
            for done in groups.values():
                with suppress(KafkaException):
                    done.result(15)


def _drained(watched: list[GroupLag]) -> bool:
    try:
        return all(lag.is_drained() for lag in watched)
    except KafkaException:
        return False
