"""The paths about people, their reference photos and the gallery; `identifier.people` does it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, File, Path, Query, UploadFile
from starlette.responses import Response

from identifier.api.problems import MEDIA_TYPE, Problem, ProblemError
from identifier.api.shapes import (
    SLUG_PATTERN,
    ChangeRequest,
    EnrolledAnswer,
    GalleryAnswer,
    MergeRequest,
    PeopleAnswer,
    PersonAnswer,
)
from identifier.gallery.database import retried
from identifier.gallery.reembedding import Reembedding
from identifier.gallery.values import PersonChange
from identifier.names import LONGEST_NAME, LONGEST_SLUG
from identifier.people import People
from services.errors import RecordError

Slug = Annotated[str, Path(pattern=SLUG_PATTERN, max_length=LONGEST_SLUG + 8)]
PhotoId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Name = Annotated[
    str,
    Path(min_length=1, max_length=2 * LONGEST_NAME, description="The person's name, or the slug."),
]
Limit = Annotated[int, Query(ge=1, le=1_000, description="Most people in the answer.")]
After = Annotated[
    str, Query(max_length=2_400, description="What the answer before gave as `next`.")
]
Part = Annotated[str, Query(max_length=LONGEST_NAME, description="Part of the name.")]

_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png"}
_PHOTO_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cache-Control": "private, no-cache",
}
_WORDS = {
    404: "There is none.",
    409: "Another person has that name.",
    413: "Too large.",
    415: "Neither a JPEG nor a PNG.",
    422: "The photo, or the request, cannot be used; `reason` says why.",
}


def people_routes(
    people: People,
    reembedding: Reembedding,
    enrolled: Callable[[str], object] = lambda _: None,
) -> APIRouter:
    """The paths under `/api/v1/people`, and `/api/v1/gallery`.

    Args:
        people: what they do.
        reembedding: how far the model pack is with the gallery's photos.
        enrolled: told the slug of somebody who has a new photo, to look for them in the past.
    """
    router = APIRouter(tags=["people"])
    _add_looking(router, people)
    _add_changing(router, people)
    _add_faces(router, people, enrolled)

    @router.get("/api/v1/gallery")
    def get_gallery() -> GalleryAnswer:
        """Say how far the model pack is with the photos; after a change of pack it reads all."""
        progress = reembedding.progress()
        return GalleryAnswer(
            version=people.version,
            pack=reembedding.pack,
            ready=progress.ready,
            failed=progress.failed,
            total=progress.total,
            matched=progress.matched,
            reembedding=reembedding.busy,
            threshold=people.default_threshold(reembedding.pack),
        )

    return router


def _add_looking(router: APIRouter, people: People) -> None:
    @router.get("/api/v1/people", responses={422: _problem(422)})
    def list_people(limit: Limit = 100, after: After = "", q: Part = "") -> PeopleAnswer:
        """List people by name: everyone, or those whose name has a part in it."""
        if "\x00" in q:
            raise ProblemError(422, "bad-request", "q has a character that no name has")
        page = people.store.page(q, _opened(after), limit)
        return PeopleAnswer.of(page.people, _cursor(page.after) if page.after else None)

    @router.get("/api/v1/people/{slug}", responses={404: _problem(404)})
    def get_person(slug: Slug) -> PersonAnswer:
        """Show one person with their reference photos."""
        person = people.store.person(slug)
        if person is None:
            raise _no_person(slug)
        return PersonAnswer.of(person)


def _add_changing(router: APIRouter, people: People) -> None:
    @router.patch(
        "/api/v1/people/{slug}", responses={status: _problem(status) for status in (404, 409, 422)}
    )
    def change_person(slug: Slug, change: ChangeRequest) -> PersonAnswer:
        """Change name, threshold or notes; the slug, and with it the topic, stays."""
        wanted = PersonChange(
            name=change.name,
            notes=change.notes,
            set_threshold="threshold" in change.model_fields_set,
            threshold=change.threshold,
        )
        try:
            person = people.change(slug, wanted)
        except RecordError as error:
            if error.reason != "name-taken":
                raise
            raise ProblemError(409, error.reason, str(error)) from None
        if person is None:
            raise _no_person(slug)
        return PersonAnswer.of(person)

    @router.post(
        "/api/v1/people/{slug}/merge",
        responses={status: _problem(status) for status in (404, 422)},
    )
    def merge_person(slug: Slug, merge: MergeRequest) -> PersonAnswer:
        """Give photos and sightings to another person, who is the same; this one is gone then."""
        person = retried(lambda: people.merge(slug, merge.into))
        if person is None:
            raise _no_person(f"{slug}, or none {merge.into}")
        return PersonAnswer.of(person)

    @router.delete("/api/v1/people/{slug}", status_code=204, responses={404: _problem(404)})
    def remove_person(slug: Slug) -> None:
        """Remove a person with their photos and embeddings."""
        if not retried(lambda: people.remove(slug)):
            raise _no_person(slug)


def _add_faces(router: APIRouter, people: People, on_enrolled: Callable[[str], object]) -> None:
    @router.post(
        "/api/v1/people/{name}/faces",
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
            bool,
            Query(description="Take a face that is small, uncertain, turned away or blurred."),
        ] = False,
        backfill: Annotated[
            bool, Query(description="Look for them in the past as well, as far as is set.")
        ] = True,
    ) -> EnrolledAnswer:
        """Add a reference photo; the person is made if need be, and named from now on."""
        enrolled = people.enrol(name, file.file.read(), force=force)
        if not enrolled.added:
            response.status_code = 200
        elif backfill:
            on_enrolled(enrolled.person.slug)
        return EnrolledAnswer.of(enrolled)

    @router.get(
        "/api/v1/people/{slug}/faces/{face_id}/photo",
        response_class=Response,
        responses={
            200: {
                "description": "The file as it came.",
                "content": {
                    kind: {"schema": {"type": "string", "format": "binary"}} for kind in _SUFFIXES
                },
            },
            404: _problem(404),
        },
    )
    def get_photo(slug: Slug, face_id: PhotoId) -> Response:
        """Give the photo as it was enrolled."""
        photo = people.store.photo_file(slug, face_id)
        if photo is None or photo.media_type not in _SUFFIXES:
            raise ProblemError(404, "no-such-face", f"{slug} has no face {face_id}")
        name = f"{face_id}{_SUFFIXES[photo.media_type]}"
        headers = _PHOTO_HEADERS | {"Content-Disposition": f'inline; filename="{name}"'}
        return Response(photo.data, media_type=photo.media_type, headers=headers)

    @router.delete(
        "/api/v1/people/{slug}/faces/{face_id}",
        status_code=204,
        responses={404: _problem(404)},
    )
    def remove_face(slug: Slug, face_id: PhotoId) -> None:
        """Remove one reference photo; the person stays."""
        if not retried(lambda: people.remove_photo(slug, face_id)):
            raise ProblemError(404, "no-such-face", f"{slug} has no face {face_id}")


def _no_person(who: str) -> ProblemError:
    return ProblemError(404, "no-such-person", f"there is no person {who}")


def _cursor(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _opened(cursor: str) -> str:
    try:
        place = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        place = "\x00"
    if "\x00" in place:
        raise ProblemError(422, "bad-cursor", "after is not what an answer gave as next")
    return place


def _problem(status: int) -> dict[str, object]:
    return {
        "description": _WORDS[status],
        "model": Problem,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
