"""Entry point of the autoscaler: wires settings, Kafka, the container engine and the loop."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from autoscaler.containers import DockerWorkers, EngineError, OnPaper, Workers, connect
from autoscaler.measuring import KafkaMeter
from autoscaler.service import Autoscaler
from autoscaler.settings import AutoscalerSettings
from autoscaler.turn import KafkaTurn
from services.errors import SettingsError
from services.lifecycle.health import Health
from services.lifecycle.service import running
from services.status.reporter import reporting

log = structlog.get_logger()


def main(argv: Sequence[str] = ()) -> int:
    """Run until told to stop; the workers stay as they are then."""
    settings = AutoscalerSettings.load(argv)
    health = Health("kafka", "docker")
    with running(settings, health) as stop, reporting(settings, health):
        try:
            api = connect(settings.docker_host)
        except EngineError as error:
            raise SettingsError(str(error)) from None
        workers: Workers = DockerWorkers(api, settings.compose_project, settings.worker_service)
        if settings.dry_run:
            workers = OnPaper(workers)
        turn_group = f"{settings.worker_group}.autoscaler"
        with (
            KafkaMeter(settings, settings.worker_group, settings.topic_raw) as meter,
            KafkaTurn(settings, turn_group, settings.topic_raw) as turn,
        ):
            log.info(
                "watching",
                project=settings.compose_project,
                service=settings.worker_service,
                group=settings.worker_group,
                dry_run=settings.dry_run,
            )
            Autoscaler(
                meter,
                workers,
                turn,
                settings.limits,
                health,
                drain_warning_s=settings.drain_warning_s,
            ).run(stop, settings.look_every_s)
    return 0
