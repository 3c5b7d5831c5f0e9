"""The workers' containers: which there are, more of them, fewer of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from autoscaler.copies import Copy, copy_of, number_of
from services.errors import RetriableError, SettingsError

if TYPE_CHECKING:
    from docker import APIClient

log = structlog.get_logger()

_TIMEOUT_S = 30
_LONGEST_REASON = 200
_LIVE = ("running", "restarting", "paused")


class EngineError(RetriableError):
    """The container engine does not answer, or refuses."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One container of the workers' service.

    Attributes:
        id: the engine's.
        name: as `docker compose ps` shows it.
        number: compose's, from 1.
        live: whether it runs, or the engine is starting it again.
        healthy: whether its health check has not failed.
        draining: whether it was told to stop.
        config: what tells two configurations of the service apart.
    """

    id: str
    name: str
    number: int
    live: bool
    healthy: bool
    draining: bool = False
    config: str = ""


class Workers(Protocol):
    """The workers of one compose project."""

    def all(self) -> list[Worker]:
        """Every container of the service, by number.

        Raises:
            EngineError: no answer.
        """

    def start(self, count: int) -> list[str]:
        """Start more; their names, fewer than asked for where one could not be started.

        Raises:
            EngineError: none could be started.
        """

    def drain(self, workers: Sequence[Worker]) -> None:
        """Tell workers to finish what they hold and to end; returns at once.

        Raises:
            EngineError: one could not be told.
        """

    def clear(self) -> list[str]:
        """Remove those that were told to end, and have; their names.

        Raises:
            EngineError: no answer.
        """


class DockerWorkers:
    """Workers of a compose project, by Docker's API.

    A new one is what compose would make: a copy of one that runs, with the next number. One is
    stopped by the signal that its image names, and by nothing else: no time limit ends in SIGKILL.
    What this removes is what it stopped itself.

    Args:
        api: the engine.
        project: compose's name of the project.
        service: compose's name of the workers.
    """

    def __init__(self, api: APIClient, project: str, service: str) -> None:
        self._api = api
        self._labels = [
            f"com.docker.compose.project={project}",
            f"com.docker.compose.service={service}",
            "com.docker.compose.oneoff=False",
        ]
        self._draining: set[str] = set()

    def all(self) -> list[Worker]:
        """Every container of the service, by number."""
        with _told("list the workers"):
            found = self._api.containers(all=True, filters={"label": self._labels})
        workers = [self._worker(each) for each in found]
        self._draining &= {worker.id for worker in workers}
        return sorted(workers, key=lambda worker: worker.number)

    def start(self, count: int) -> list[str]:
        """Start those that are there and stand still, then copies of the one that runs longest."""
        workers = self.all()
        live = [worker for worker in workers if worker.live and not worker.draining]
        if not live:
            raise EngineError("no worker runs that a new one could be a copy of")
        model = min(live, key=lambda worker: (not worker.healthy, worker.number))
        still = [
            worker
            for worker in workers
            if not worker.live and not worker.draining and worker.config == model.config
        ]
        started: list[str] = []
        try:
            for worker in still[:count]:
                with _told(f"start {worker.name}"):
                    self._api.start(worker.id)
                started.append(worker.name)
            taken = {worker.number for worker in workers}
            while len(started) < count:
                number = next(n for n in range(1, len(taken) + 2) if n not in taken)
                started.append(self._start_copy(model, number))
                taken.add(number)
        except EngineError as error:
            if not started:
                raise
            log.warning("fewer workers started than wanted", error=str(error))
        return started

    def drain(self, workers: Sequence[Worker]) -> None:
        """Send each its stop signal."""
        for worker in workers:
            with _told(f"stop {worker.name}"):
                signal = self._inspect(worker.id)["Config"].get("StopSignal") or "SIGTERM"
                self._api.kill(worker.id, signal=signal)
            self._draining.add(worker.id)

    def clear(self) -> list[str]:
        """Remove what has drained."""
        ended = [worker for worker in self.all() if worker.draining and not worker.live]
        for worker in ended:
            with _told(f"remove {worker.name}"):
                self._api.remove_container(worker.id, v=True)
            self._draining.discard(worker.id)
        return [worker.name for worker in ended]

    def _start_copy(self, model: Worker, number: int) -> str:
        with _told(f"start a copy of {model.name}"):
            described = self._inspect(model.id)
            copy = copy_of(described, number)
            made = self._create(copy, described)
            try:
                for network, endpoint in copy.more_networks.items():
                    self._api.connect_container_to_network(made, network, **endpoint)
                self._api.start(made)
            except BaseException:
                self._api.remove_container(made, v=True)
                raise
        return copy.name

    def _create(self, copy: Copy, model: dict[str, Any]) -> str:
        """The image's name may by now mean another image than the one that runs: not here."""
        made: str = self._api.create_container_from_config(copy.config, copy.name)["Id"]
        if self._inspect(made)["Image"] == model["Image"]:
            return made
        self._api.remove_container(made, v=True)
        same = {**copy.config, "Image": model["Image"]}
        again: str = self._api.create_container_from_config(same, copy.name)["Id"]
        return again

    def _inspect(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = self._api.inspect_container(container)
        return found

    def _worker(self, found: dict[str, Any]) -> Worker:
        labels = found["Labels"]
        return Worker(
            id=found["Id"],
            name=found["Names"][0].removeprefix("/"),
            number=number_of(labels),
            live=found["State"] in _LIVE,
            healthy="(unhealthy)" not in found["Status"],
            draining=found["Id"] in self._draining,
            config=f"{found['ImageID']} {labels.get('com.docker.compose.config-hash', '')}",
        )


@dataclass(slots=True)
class OnPaper:
    """Looks at real workers and leaves them alone: `DRY_RUN`."""

    workers: Workers

    def all(self) -> list[Worker]:
        """As they are."""
        return self.workers.all()

    def start(self, count: int) -> list[str]:
        """Only say so."""
        log.info("dry run: workers would be started", count=count)
        return []

    def drain(self, workers: Sequence[Worker]) -> None:
        """Only say so."""
        log.info("dry run: workers would be stopped", workers=[worker.name for worker in workers])

    def clear(self) -> list[str]:
        """Nothing was stopped."""
        return []


def connect(docker_host: str) -> APIClient:
    """Docker's API at an address; asks for nothing yet but its version.

    Raises:
        SettingsError: the SDK is not there, or the address is not one.
        EngineError: nobody answers.
    """
    try:
        from docker import APIClient
        from docker.errors import DockerException
    except ImportError:
        raise SettingsError("the autoscaler needs Docker's SDK: facestream[autoscaler]") from None
    try:
        return APIClient(base_url=docker_host, version="auto", timeout=_TIMEOUT_S)
    except DockerException as error:
        raise EngineError(f"no Docker engine at DOCKER_HOST={docker_host}: {error}") from None


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn what the SDK raises into what this project does."""
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        reason = " ".join(str(error.explanation or error).split())[:_LONGEST_REASON]
        raise EngineError(f"cannot {what}: {reason}") from None
    except (DockerException, OSError, ValueError) as error:  # requests' own are OSErrors
        raise EngineError(f"cannot {what}: {error}") from None
