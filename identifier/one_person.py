"""PERSON and REFERENCE: a gallery of one, made at start, no database."""

from __future__ import annotations

from collections.abc import Callable

from identifier.enrolment import Enroller, PhotoAnalyser
from identifier.matcher import Person, Reference
from identifier.models import enrolment_limits
from identifier.names import clean_name, slugify
from identifier.settings import IdentifierSettings
from identifier.snapshot import FixedGallery, Snapshot
from services.errors import RecordError, SettingsError


def gallery_of_one(settings: IdentifierSettings, load: Callable[[], PhotoAnalyser]) -> FixedGallery:
    """Enrol PERSON from REFERENCE.

    Raises:
        SettingsError: the photo cannot be used.
        ModelError: the models cannot be had.
    """
    assert settings.person is not None  # noqa: S101 - the caller looked
    assert settings.reference is not None  # noqa: S101 - the settings hold them together
    try:
        name = clean_name(settings.person)
        with settings.reference.open("rb") as file:
            data = file.read(settings.upload_max_bytes + 1)
        photo = Enroller(load, enrolment_limits(settings)).read(data)
    except OSError as error:
        raise SettingsError(f"REFERENCE={settings.reference}: {error.strerror}") from None
    except RecordError as error:
        raise SettingsError(f"REFERENCE={settings.reference}: {error}") from None
    reading = photo.reading
    reference = Reference(photo.sha256[:32], Person(slugify(name), name), reading.embedding)
    version = f"reference-{photo.sha256[:8]}"
    return FixedGallery(Snapshot.of(version, {reading.recogniser_sha256: [reference]}))
