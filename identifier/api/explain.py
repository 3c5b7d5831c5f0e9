"""`/api/v1/sightings/{id}/explanation` and `/frame`: why a name was given, and the proof."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from identifier.api.explain_shapes import ExplanationAnswer
from identifier.api.problems import MEDIA_TYPE, Problem, ProblemError
from identifier.history.explain import Explainer
from services.errors import BrokerUnavailable

SightingId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_WORDS = {
    404: "There is no such sighting.",
    410: "The log has forgotten the frame.",
    503: "Kafka, or the database, does not answer.",
}


def explain_routes(explainer: Explainer) -> APIRouter:
    """The paths of explanations."""
    router = APIRouter(prefix="/api/v1/sightings", tags=["sightings"])

    @router.get("/{sighting_id}/explanation", responses={404: _problem(404)})
    def explain_sighting(sighting_id: SightingId) -> ExplanationAnswer:
        """Show the chain from a sighting to the frame, the models and the reference photo."""
        found = explainer.explain(sighting_id)
        if found is None:
            raise _no_sighting(sighting_id)
        return ExplanationAnswer.of(found)

    @router.get(
        "/{sighting_id}/frame",
        response_class=Response,
        responses={
            200: {
                "description": "The whole frame, as the camera gave it.",
                "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
            },
            **{status: _problem(status) for status in (404, 410, 503)},
        },
    )
    def get_frame(sighting_id: SightingId) -> Response:
        """Give the frame with the clearest look at the face, while the log has it."""
        place = explainer.place(sighting_id)
        if place is None:
            raise _no_sighting(sighting_id)
        try:
            jpeg = explainer.frame_jpeg(place)
        except BrokerUnavailable as error:
            raise ProblemError(503, "kafka-unavailable", str(error)) from None
        if jpeg is None:
            raise ProblemError(
                410, "frame-expired", f"{place.topic} does not keep that frame any more"
            )
        headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    return router


def _no_sighting(sighting_id: str) -> ProblemError:
    return ProblemError(404, "no-such-sighting", f"there is no sighting {sighting_id}")


def _problem(status: int) -> dict[str, object]:
    return {
        "description": _WORDS[status],
        "model": Problem,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
