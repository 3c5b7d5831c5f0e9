"""An explanation in words, for a terminal."""

from __future__ import annotations

from datetime import datetime

from identifier.history.explain import Explanation
from services.records.headers import rfc3339


def as_text(found: Explanation) -> str:
    """One line per link of the chain, from the sighting back to the photo."""
    lines = [
        ("sighting", f"{found.id}: {_who(found)}, found by {found.found_by}"),
        ("track", _track(found)),
        ("frame", _frame(found)),
        ("face", _face(found)),
    ]
    lines += [("model", f"{m.role} {m.name} sha256 {m.sha256}") for m in found.models]
    lines += [("photo", _photo(found)), ("match", _match(found))]
    width = max(len(label) for label, _ in lines)
    return "\n".join(f"{label:<{width}}  {text}" for label, text in lines) + "\n"


def _who(found: Explanation) -> str:
    if found.name is not None:
        return f"{found.name} ({found.slug})"
    return "nobody known" if found.unknown is None else f"Unknown {found.unknown}"


def _track(found: Explanation) -> str:
    until = _time(found.last_at) if found.ended else f"now ({_time(found.last_at)})"
    return (
        f"camera {found.camera}, {_time(found.started_at)} to {until}, "
        f"frames {found.first_seq} to {found.last_seq}, seen in {found.frames}"
    )


def _frame(found: Explanation) -> str:
    kept = {True: "retained", False: "not retained any more", None: "Kafka does not answer"}
    place = found.frame
    return (
        f"{place.topic}/{place.partition}/{place.offset}, number {place.seq}, "
        f"{_time(place.captured_at)}, {place.size_px[0]} x {place.size_px[1]} px, "
        f"{kept[found.retained]}"
    )


def _face(found: Explanation) -> str:
    x, y, width, height = found.box_px
    return (
        f"{width:.0f} x {height:.0f} px at ({x:.0f}, {y:.0f}), "
        f"detection score {found.score:.2f}, quality {found.quality:.2f}, pack {found.pack}"
    )


def _photo(found: Explanation) -> str:
    photo = found.photo
    if photo is None:
        return "none: no photo gave a name"
    enrolled = "" if photo.enrolled_at is None else f", enrolled {_time(photo.enrolled_at)}"
    state = "" if photo.kept else ", deleted since"
    return f"{photo.id} sha256 {photo.sha256 or 'not written down'}{enrolled}{state}"


def _match(found: Explanation) -> str:
    if found.best_similarity is None or found.threshold is None:
        return "no match"
    mean = "" if found.mean_similarity is None else f" (mean {found.mean_similarity:.3f})"
    return (
        f"similarity {found.best_similarity:.3f}{mean}, threshold {found.threshold:.3f}, "
        f"gallery {found.gallery_version or 'not written down'}"
    )


def _time(moment: datetime) -> str:
    return rfc3339(moment)
