"""Between the models' registry and the identifier: thresholds, and models loaded when needed."""

from __future__ import annotations

from collections.abc import Callable

from identifier.enrolment import EnrolmentLimits, PhotoAnalyser
from identifier.settings import IdentifierSettings
from services.models.packs import get_pack, packs


def thresholds(settings: IdentifierSettings) -> Callable[[str], float]:
    """The threshold for records of a model pack: THRESHOLD, or the pack's own.

    Raises:
        ModelError: MODEL_PACK is not in the registry.
    """
    fallback = get_pack(settings.model_pack).threshold
    registry = packs()

    def threshold(pack: str) -> float:
        if settings.threshold is not None:
            return settings.threshold
        return registry[pack].threshold if pack in registry else fallback

    return threshold


def analyser_loader(settings: IdentifierSettings) -> Callable[[], PhotoAnalyser]:
    """What loads the models; the import alone takes a second."""

    def load() -> PhotoAnalyser:
        from services.models.analysis import FaceAnalyser

        return FaceAnalyser.from_settings(settings)

    return load


def enrolment_limits(settings: IdentifierSettings) -> EnrolmentLimits:
    """What a reference photo has to be."""
    return EnrolmentLimits(
        min_face_px=settings.enrol_min_face_px,
        min_score=settings.enrol_min_score,
        max_bytes=settings.upload_max_bytes,
        max_pixels=settings.upload_max_pixels,
        max_yaw_deg=settings.enrol_max_yaw_deg,
        max_pitch_deg=settings.enrol_max_pitch_deg,
        min_sharpness=settings.enrol_min_sharpness,
    )
