"""The REST API's paths for sightings, and how often they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from identifier.api.moments import Moment
from identifier.api.pictures import PICTURE_HEADERS
from identifier.api.problems import MEDIA_TYPE, Problem, ProblemError
from identifier.api.shapes import SLUG_PATTERN
from identifier.api.sightings_shapes import (
    CountShape,
    SightingsAnswer,
    SightingShape,
    StatisticsAnswer,
)
from identifier.memory.media import Media
from identifier.memory.sightings import SightingFilter, Sightings
from identifier.names import LONGEST_SLUG

SightingId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Person = Annotated[
    str | None,
    Query(pattern=SLUG_PATTERN, max_length=LONGEST_SLUG + 8, description="Slug of a person."),
]
Camera = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="Its name.")]
_LONGEST = timedelta(days=366)


def sighting_routes(sightings: Sightings, media: Media) -> APIRouter:
    """Paths over the sightings of a database."""
    router = APIRouter(prefix="/api/v1", tags=["sightings"])

    @router.get("/sightings", responses=_problems(422))
    def list_sightings(
        person: Person = None,
        camera: Camera = None,
        since: Annotated[
            Moment | None, Query(description="Those that were still there then, or later.")
        ] = None,
        until: Annotated[Moment | None, Query(description="Those that began before.")] = None,
        unknown: Annotated[
            int | None, Query(ge=1, le=2**31 - 1, description='7 for "Unknown 7".')
        ] = None,
        named: Annotated[
            bool | None, Query(description="True for those with a name, false for those without.")
        ] = None,
        min_score: Annotated[
            float | None, Query(ge=-1, le=1, description="Lowest best similarity.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        after: Annotated[
            str | None, Query(max_length=200, description="`next` of the answer before.")
        ] = None,
    ) -> SightingsAnswer:
        """List who was where, newest first."""
        wanted = SightingFilter(person, camera, since, until, unknown, named, min_score)
        found, mark = sightings.list(wanted, limit=limit, after=after)
        return SightingsAnswer(sightings=[SightingShape.of(each) for each in found], next=mark)

    @router.get("/sightings/{sighting}", responses=_problems(404, 422))
    def get_sighting(sighting: SightingId) -> SightingShape:
        """Show one."""
        found = sightings.get(sighting)
        if found is None:
            raise ProblemError(404, "no-such-sighting", f"there is no sighting {sighting}")
        return SightingShape.of(found)

    @router.get(
        "/sightings/{sighting}/crop",
        response_class=Response,
        responses={
            200: {"content": {"image/jpeg": {}}, "description": "The best face."},
            **_problems(404, 422),
        },
    )
    def get_crop(sighting: SightingId) -> Response:
        """Show the best face."""
        found = sightings.get(sighting)
        jpeg = media.get(found.crop) if found is not None and found.crop else None
        if jpeg is None:
            raise ProblemError(404, "no-such-crop", f"no picture of {sighting} is kept")
        return Response(jpeg, media_type="image/jpeg", headers=PICTURE_HEADERS)

    @router.get("/statistics", tags=["statistics"], responses=_problems(422))
    def get_statistics(
        since: Annotated[
            Moment | None, Query(description="A day before `until` when unset.")
        ] = None,
        until: Annotated[Moment | None, Query(description="Now when unset.")] = None,
        person: Person = None,
        camera: Camera = None,
    ) -> StatisticsAnswer:
        """Count sightings by the hour, camera and person."""
        until = datetime.now(UTC) if until is None else until
        since = _a_day_before(until) if since is None else since
        if not timedelta() < until - since <= _LONGEST:
            raise ProblemError(422, "bad-period", "`since` must be up to a year before `until`")
        counts = sightings.counts(since, until, SightingFilter(person=person, camera=camera))
        return StatisticsAnswer(
            since=since, until=until, counts=[CountShape.of(each) for each in counts]
        )

    return router


def _a_day_before(moment: datetime) -> datetime:
    try:
        return moment - timedelta(days=1)
    except OverflowError:
        raise ProblemError(422, "bad-period", "`until` is before all time") from None


_WORDS = {404: "There is none.", 422: "The request cannot be used; `reason` says why."}


def _problems(*statuses: int) -> dict[int | str, dict[str, object]]:
    return {
        status: {
            "description": _WORDS[status],
            "model": Problem,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }
