"""Sightings as the identifier tells them."""

from __future__ import annotations

from datetime import datetime, timedelta

from viewer.identifier import Json
from viewer.texts import Texts

TEXTS = Texts()


def sighting(
    began: str,
    seconds: float = 10,
    *,
    slug: str = "",
    unknown: int | None = None,
    camera: str = "hall",
    number: int = 1,
    **other: object,
) -> Json:
    start = datetime.fromisoformat(began)
    return {
        "id": f"{number:032x}",
        "camera": camera,
        "session": "s",
        "person": {"slug": slug, "name": slug.title()} if slug else None,
        "unknown": unknown,
        "found_by": "live",
        "started_at": start.isoformat(),
        "last_at": (start + timedelta(seconds=seconds)).isoformat(),
        "ended": True,
        "frames": 100,
        "best_similarity": 0.61 if slug else None,
        "mean_similarity": 0.5 if slug else None,
        "threshold": 0.33 if slug else None,
        "quality": 0.8,
        "score": 0.9,
        "crop": None,
        **other,
    }
