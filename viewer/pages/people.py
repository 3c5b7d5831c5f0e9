"""Who is enrolled: their cards, a search, and adding people and photos."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from viewer.access.flask import needs
from viewer.drawing import hue_of
from viewer.identifier import File, Json
from viewer.pages.enrolling import Outcome, address, enrol
from viewer.pages.face_crops import FaceCrops
from viewer.pages.parts import Parts, blurs, picture, wants_json
from viewer.pages.person import add_person_routes
from viewer.pages.photo_quality import best_face

_PER_PAGE = 24
_SUGGESTED = 20
_FACE_MAX_AGE_S = 60
_PHOTO_MAX_AGE_S = 86_400


def people_pages(parts: Parts) -> Blueprint:
    """`/people` and everything under it."""
    routes = Blueprint("people", __name__)
    routes.add_app_template_global(hue_of)
    _add_list(routes, parts)
    _add_photos(routes, parts)
    _add_pictures(routes, parts, FaceCrops())
    add_person_routes(routes, parts)
    return routes


def _add_list(routes: Blueprint, parts: Parts) -> None:
    @routes.get("/people")
    @needs("read")
    def people() -> str:
        q = request.args.get("q", "").strip()[:100]
        found = parts.identifier.get(
            "/people", limit=_PER_PAGE, q=q, after=request.args.get("after", "")[:2_400]
        )
        return render_template("people.html", people=found["people"], next=found["next"], q=q)

    @routes.get("/people/names.json")
    @needs("read")
    def names() -> Response:
        """Names to choose from while one is typed."""
        found = parts.identifier.get(
            "/people", limit=_SUGGESTED, q=request.args.get("q", "").strip()[:100]
        )
        people = [{"slug": one["slug"], "name": one["name"]} for one in found["people"]]
        return jsonify(people=people)


def _add_photos(routes: Blueprint, parts: Parts) -> None:
    @routes.post("/people")
    @needs("teach")
    def add() -> BaseResponse | str:
        return took(request.form.get("name", ""))

    @routes.post("/people/<name>/photos")
    @needs("teach")
    def add_photos(name: str) -> BaseResponse | str:
        return took(name)

    def took(name: str) -> BaseResponse | str:
        """Add the photos of a form, and tell what became of each."""
        outcomes = enrol(
            parts.identifier,
            parts.texts,
            name,
            request.files.getlist("file"),
            force=request.form.get("force", "") in ("1", "true", "on"),
        )
        if wants_json():
            return jsonify(outcomes=[_told(outcome) for outcome in outcomes])
        person = next((one.person for one in reversed(outcomes) if one.person), None)
        return render_template("people_added.html", outcomes=outcomes, person=person, name=name)


def _told(outcome: Outcome) -> Json:
    """The outcome for a script, with the same words that the page has for it."""
    return {**outcome.document, "html": render_template("people_outcome.html", outcome=outcome)}


def _add_pictures(routes: Blueprint, parts: Parts, crops: FaceCrops) -> None:
    def cut(slug: str, face: Json | None) -> File | None:
        if face is None:
            return None
        face_id, alone = str(face["id"]), blurs(parts)
        jpeg = crops.kept(face_id, alone=alone)
        if jpeg is None:
            photo = parts.identifier.file(address("people", slug, "faces", face_id, "photo"))
            jpeg = None if photo is None else crops.cut(face, photo.data, alone=alone)
        return None if jpeg is None else File("image/jpeg", jpeg)

    def face_of(slug: str, face_id: str) -> Json | None:
        faces: list[Json] = parts.identifier.get(address("people", slug))["faces"]
        return next((each for each in faces if each["id"] == face_id), None)

    def shown(file: File | None, max_age_s: int) -> Response:
        # The policy may end tomorrow: what it left of a photo is not kept for as long.
        return picture(parts, file, max_age_s=_FACE_MAX_AGE_S if blurs(parts) else max_age_s)

    @routes.get("/people/<slug>/face.jpg")
    @needs("read")
    def face(slug: str) -> Response:
        """The face of their best photo; small and square."""
        best = best_face(parts.identifier.get(address("people", slug))["faces"])
        return shown(cut(slug, best), _FACE_MAX_AGE_S)

    @routes.get("/people/<slug>/faces/<face_id>.jpg")
    @needs("read")
    def one_face(slug: str, face_id: str) -> Response:
        """The face of one photo; small and square."""
        return shown(cut(slug, face_of(slug, face_id)), _PHOTO_MAX_AGE_S)

    @routes.get("/people/<slug>/photos/<face_id>.jpg")
    @needs("read")
    def photo(slug: str, face_id: str) -> Response:
        """The photo as it was sent; where unknown faces are blurred, the face alone."""
        if blurs(parts):
            return shown(cut(slug, face_of(slug, face_id)), _PHOTO_MAX_AGE_S)
        found = parts.identifier.file(address("people", slug, "faces", face_id, "photo"))
        return shown(found, _PHOTO_MAX_AGE_S)
