"""The paths of the REST API; what they do is in `identifier.people`."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, File, Path, Query, UploadFile
from starlette.responses import Response

from identifier.api.guard import Access, Guard
from identifier.api.problems import MEDIA_TYPE, Problem, ProblemError, handle_problems
from identifier.api.shapes import EnrolledAnswer, HealthAnswer, PeopleAnswer, PersonAnswer
from identifier.names import LONGEST_NAME, LONGEST_SLUG
from identifier.people import People
from services.lifecycle.health import Health

Slug = Annotated[str, Path(pattern=r"^[a-z0-9-]+$", max_length=LONGEST_SLUG + 8)]
PhotoId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Name = Annotated[
    str,
    Path(min_length=1, max_length=2 * LONGEST_NAME, description="The person's name, or the slug."),
]
_WORDS = {
    401: "No or wrong token.",
    403: "Asked for by a page of another site.",
    404: "There is none.",
    413: "Too large.",
    415: "Neither a JPEG nor a PNG.",
    421: "Addressed by a foreign host name.",
    422: "The photo, or the request, cannot be used; `reason` says why.",
    503: "The models or the database cannot be had now.",
}


def make_app(people: People, health: Health, access: Access) -> FastAPI:
    """The API over a gallery.

    Pages to browse it with would come from elsewhere on the web, so there are none: the document
    is at `/openapi.json`.
    """
    app = FastAPI(
        title="facestream identifier",
        version="1",
        description="The gallery of people whose faces are named.",
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

    @app.get("/api/v1/people", tags=["people"])
    def list_people() -> PeopleAnswer:
        """List everyone, by name."""
        return PeopleAnswer.of(people.store.people())

    @app.get("/api/v1/people/{slug}", tags=["people"], responses={404: _problem(404)})
    def get_person(slug: Slug) -> PersonAnswer:
        """Show one person with their reference photos."""
        person = people.store.person(slug)
        if person is None:
            raise ProblemError(404, "no-such-person", f"there is no person {slug}")
        return PersonAnswer.of(person)

    @app.post(
        "/api/v1/people/{name}/faces",
        tags=["people"],
        status_code=201,
        responses={
            200: {"model": EnrolledAnswer, "description": "The person had this photo already."},
            **{status: _problem(status) for status in (413, 415, 422)},
        },
    )
    def add_face(
        name: Name,
        response: Response,
        file: Annotated[UploadFile, File(description="A JPEG or PNG with exactly one face.")],
        force: Annotated[
            bool, Query(description="Take a face that is too small or uncertain.")
        ] = False,
    ) -> EnrolledAnswer:
        """Add a reference photo; the person is made if need be, and named from now on."""
        enrolled = people.enrol(name, file.file.read(), force=force)
        if not enrolled.added:
            response.status_code = 200
        return EnrolledAnswer.of(enrolled)

    @app.delete(
        "/api/v1/people/{slug}", tags=["people"], status_code=204, responses={404: _problem(404)}
    )
    def remove_person(slug: Slug) -> None:
        """Remove a person with their photos and embeddings."""
        if not people.remove(slug):
            raise ProblemError(404, "no-such-person", f"there is no person {slug}")

    @app.delete(
        "/api/v1/people/{slug}/faces/{face_id}",
        tags=["people"],
        status_code=204,
        responses={404: _problem(404)},
    )
    def remove_face(slug: Slug, face_id: PhotoId) -> None:
        """Remove one reference photo; the person stays."""
        if not people.remove_photo(slug, face_id):
            raise ProblemError(404, "no-such-face", f"{slug} has no face {face_id}")

    app.add_middleware(Guard, access=access)
    return app


def _problem(status: int) -> dict[str, object]:
    return {
        "description": _WORDS[status],
        "model": Problem,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
