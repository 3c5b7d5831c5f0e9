"""`/sightings/<id>`: one sighting, why it has its name, and saying that it is somebody else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from viewer.access.flask import needs
from viewer.identifier import Json
from viewer.pages.parts import Parts, blurs, done
from viewer.pages.sightings.asking import asked_filters, known_people
from viewer.pages.sightings.filters import Filters, utc_now
from viewer.pages.sightings.pictures import check_id
from viewer.pages.sightings.reading import before, following
from viewer.pages.sightings.timeline import day_title, line_of

_AROUND = timedelta(minutes=5)
_LONGEST_NAME = 160


@dataclass(frozen=True, slots=True)
class Scale:
    """Similarity against threshold, per cent of a bar from 0 to 1.

    Attributes:
        similarity: where it is.
        threshold: where it has to be; None where nobody knows.
        passed: whether it is above.
    """

    similarity: float
    threshold: float | None
    passed: bool


def sighting_routes(parts: Parts) -> Blueprint:
    """The page and what can be said on it."""
    routes = Blueprint("sighting", __name__)
    identifier, t = parts.identifier, parts.texts

    @routes.get("/sightings/<sighting>")
    @needs("read")
    def one(sighting: str) -> str:
        found = identifier.get(f"/sightings/{check_id(sighting)}")
        filters = asked_filters(parts)
        now = utc_now()
        began = datetime.fromisoformat(found["started_at"])
        why = None
        if request.args.get("why"):
            why = identifier.get(f"/sightings/{sighting}/explanation")
        line = line_of(found, filters.zone, t)
        wanted = filters if not filters.wrong else Filters(zone=filters.zone)
        return render_template(
            "sighting.html",
            sighting=found,
            line=line,
            day=day_title(line.day, now.astimezone(filters.zone).date(), t),
            filters=wanted,
            here_query=wanted.address(""),
            why_here=_here(sighting, wanted, why="1"),
            why=why,
            scale=None if why is None else scale_of(why["match"]),
            earlier=_neighbour(before(identifier, wanted, began), wanted),
            later=_neighbour(following(identifier, wanted, began, now), wanted),
            around=wanted.between(
                began - _AROUND, began + _AROUND, camera=found["camera"], person=None, who=None,
                unknown=None, similarity=None,
            ),
            people=known_people(parts),
            blurred=blurs(parts),
        )  # fmt: skip

    @routes.post("/sightings/<sighting>/not-this-person")
    @needs("teach")
    def not_this_person(sighting: str) -> BaseResponse:
        said = identifier.send("POST", f"/sightings/{check_id(sighting)}/not-this-person")
        return done(_here(sighting, asked_filters(parts)), said)

    @routes.post("/sightings/<sighting>/person")
    @needs("teach")
    def this_is(sighting: str) -> BaseResponse:
        check_id(sighting)
        body = request.get_json(silent=True) if request.is_json else request.form
        name = str((body or {}).get("person", "")).strip()
        if not name or len(name) > _LONGEST_NAME:
            abort(422, t("sightings.whom"))
        said = identifier.send("POST", f"/sightings/{sighting}/person", json={"person": name})
        return done(_here(sighting, asked_filters(parts)), said)

    return routes


def scale_of(match: Json | None) -> Scale | None:
    """A match as a bar; None without one."""
    if match is None:
        return None
    similarity, threshold = match["best_similarity"], match["threshold"]
    return Scale(
        similarity=_share(similarity),
        threshold=None if threshold is None else _share(threshold),
        passed=threshold is None or similarity >= threshold,
    )


def _share(cosine: float) -> float:
    return round(100 * min(max(cosine, 0.0), 1.0), 1)


def _here(sighting: str, filters: Filters, **other: str) -> str:
    query = urlencode(filters.query(**other))
    return f"/sightings/{sighting}?{query}" if query else f"/sightings/{sighting}"


def _neighbour(sighting: str | None, filters: Filters) -> str | None:
    return None if sighting is None else _here(sighting, filters)
