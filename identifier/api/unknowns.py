"""The REST API's paths for unknown people, and for saying who a sighting shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Path, Query

from identifier.api.problems import MEDIA_TYPE, Problem, ProblemError
from identifier.api.unknowns_shapes import (
    DeletedAnswer,
    IgnoreRequest,
    MergeRequest,
    NamedAnswer,
    NameRequest,
    PersonRequest,
    SaidAnswer,
    UnknownsAnswer,
    UnknownShape,
)
from identifier.gallery.database import retried
from identifier.unknowns.store import Unknowns
from identifier.unknowns.values import UnknownError

_Number = Annotated[int, Path(ge=1, le=2**31 - 1, description='7 for "Unknown 7".')]
_SightingId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_WORDS = {
    404: "There is none.",
    409: "It is not as this needs it; `reason` says how it is.",
    422: "The request, or the picture, cannot be used; `reason` says why.",
}
_UNPROCESSABLE = "no-picture"


def unknown_routes(unknowns: Unknowns) -> APIRouter:
    """Paths over the unknown people of a database."""
    router = APIRouter(prefix="/api/v1", tags=["unknowns"])

    @router.get("/unknowns", responses=_problems(422))
    def list_unknowns(
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        after: Annotated[
            str | None, Query(max_length=200, description="`next` of the part before.")
        ] = None,
        named: Annotated[bool, Query(description="Those who have a name by now, too.")] = False,
        ignored: Annotated[bool, Query(description="Those who are ignored, too.")] = False,
    ) -> UnknownsAnswer:
        """List those who were seen and have no name, newest seen first."""
        found = unknowns.list(limit=limit, after=after, named=named, ignored=ignored)
        return UnknownsAnswer.of(found)

    @router.get("/unknowns/{number}", responses=_problems(404, 422))
    def get_unknown(number: _Number) -> UnknownShape:
        """Show one; a number that was merged into another shows the other."""
        with _as_problems():
            return UnknownShape.of(unknowns.get(number))

    @router.post("/unknowns/{number}/name", responses=_problems(404, 409, 422))
    def name_unknown(number: _Number, asked: NameRequest) -> NamedAnswer:
        """Make an unknown a person: crops become reference photos, past sightings get the name."""
        with _as_problems():
            return NamedAnswer.of(retried(lambda: unknowns.name(number, asked.name)))

    @router.post("/unknowns/{number}/merge", responses=_problems(404, 409, 422))
    def merge_unknown(number: _Number, asked: MergeRequest) -> UnknownShape:
        """Say that an unknown is another unknown, whose number stays."""
        with _as_problems():
            return UnknownShape.of(retried(lambda: unknowns.merge(number, asked.into)))

    @router.post("/unknowns/{number}/ignore", responses=_problems(404, 422))
    def ignore_unknown(number: _Number, asked: IgnoreRequest) -> UnknownShape:
        """Leave an unknown out of lists and events, or no longer."""
        with _as_problems():
            return UnknownShape.of(retried(lambda: unknowns.ignore(number, asked.ignored)))

    @router.delete("/unknowns/{number}", responses=_problems(404, 409, 422))
    def delete_unknown(number: _Number) -> DeletedAnswer:
        """Forget an unknown: sightings, crops, embeddings and events."""
        with _as_problems():
            return DeletedAnswer.of(retried(lambda: unknowns.delete(number)))

    @router.post(
        "/sightings/{sighting}/not-this-person",
        tags=["sightings"],
        responses=_problems(404, 409, 422),
    )
    def not_this_person(sighting: _SightingId) -> SaidAnswer:
        """Take a sighting away from its person, and remember that this face is not theirs."""
        with _as_problems():
            return SaidAnswer.of(retried(lambda: unknowns.not_this_person(sighting)))

    @router.post("/sightings/{sighting}/person", tags=["sightings"], responses=_problems(404, 422))
    def this_is(sighting: _SightingId, asked: PersonRequest) -> SaidAnswer:
        """Give a sighting to a person of the gallery."""
        with _as_problems():
            return SaidAnswer.of(retried(lambda: unknowns.this_is(sighting, asked.person)))

    return router


@contextmanager
def _as_problems() -> Iterator[None]:
    """What cannot be done to an unknown is 404 or 409; that no picture can be used is 422."""
    try:
        yield
    except UnknownError as error:
        if error.reason == _UNPROCESSABLE:
            raise
        status = 404 if error.reason.startswith("no-such-") else 409
        raise ProblemError(status, error.reason, str(error)) from None


def _problems(*statuses: int) -> dict[int | str, dict[str, object]]:
    return {
        status: {
            "description": _WORDS[status],
            "model": Problem,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }
