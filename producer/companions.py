"""What brings cameras while the producer runs: the identifier, and those who push."""

from __future__ import annotations

from collections.abc import Sequence

from producer.assigned import Assigned
from producer.camera import Camera, source_options
from producer.fleet import Companion
from producer.following import Following, Guests, who_i_am
from producer.identifier import Identifier
from producer.ingest.pushes import Pushes
from producer.ingest.server import IngestServer
from producer.names import Names
from producer.publisher import LivePublisher
from producer.reporting import CameraReport, Reported
from producer.settings import ProducerSettings
from producer.shots import ShotTaker, shot_options
from services.certificate import trust


def make_companions(
    settings: ProducerSettings, cameras: Sequence[Camera], publisher: LivePublisher | None
) -> list[Companion]:
    """What RUNTIME_CAMERAS, REPORT_CAMERAS and INGEST_PORT ask for.

    Raises:
        SettingsError: INGEST_PORT cannot be bound.
    """
    names = Names(camera.plan.name for camera in cameras)
    companions: list[Companion] = []
    pushes = None
    if settings.ingest_port and publisher is not None:
        pushes = Pushes(publisher, names, settings.ingest_max_cameras, settings.fps)
        companions.append(IngestServer(settings, pushes))
    if settings.reports and settings.identifier_url is not None:
        token = settings.identifier_token
        identifier = Identifier(
            settings.identifier_url,
            None if token is None else token.get_secret_value(),
            who_i_am(),
            follows=settings.runtime_cameras,
            trust=trust(settings.identifier_ca),
        )
        guests = None
        if settings.runtime_cameras and publisher is not None:
            shots = ShotTaker(identifier, shot_options(source_options(settings)))
            guests = Guests(Assigned(settings, publisher, names), shots)
        fixed = [CameraReport(camera, fixed=True) for camera in cameras]
        pushed = _none if pushes is None else pushes.reports
        companions.append(Following(identifier, fixed, pushed, guests, names))
    return companions


def _none() -> list[Reported]:
    return []
