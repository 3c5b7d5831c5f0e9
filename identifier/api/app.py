"""The REST API put together; its paths are in the modules beside this one."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI

from identifier.api.browse import browse_routes
from identifier.api.description import describe
from identifier.api.guard import Access, Guard
from identifier.api.problems import MEDIA_TYPE, Problem, handle_problems
from identifier.api.shapes import HealthAnswer
from identifier.people import People
from services.lifecycle.health import Health

_WORDS = {
    401: "No or wrong token.",
    403: "Asked for by a page of another site, or with a token that lacks the scope.",
    421: "Addressed by a foreign host name.",
    503: "The models or the database cannot be had now.",
}


def make_app(
    people: People, health: Health, access: Access, routers: Sequence[APIRouter] = ()
) -> FastAPI:
    """The API over a gallery and what else its routers are about.

    The document is at `/openapi.json`, a page to read and try it at `/api/v1/docs`.
    """
    app = FastAPI(
        title="facestream identifier",
        version="1",
        description="Who is in the gallery, who was where, and why.",
        docs_url=None,
        redoc_url=None,
        responses={status: _problem(status) for status in (401, 403, 421, 503)},
    )
    handle_problems(app)

    @app.get("/api/v1/health", tags=["health"])
    def get_health() -> HealthAnswer:
        """Say whether frames are being matched, and against what."""
        return HealthAnswer(
            ready=health.is_ready, gallery_version=people.version, references=people.references
        )

    for router in routers:
        app.include_router(router)
    app.include_router(browse_routes())
    app.add_middleware(Guard, access=access)
    describe(app, wants_token=access.token is not None)
    return app


def _problem(status: int) -> dict[str, object]:
    return {
        "description": _WORDS[status],
        "model": Problem,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
