"""One person: photos, name, notes, threshold, merging, looking for them in the past, erasing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response, abort, jsonify, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from services.models.packs import packs
from viewer.access.flask import needs
from viewer.identifier import Identifier, IdentifierProblem, Json
from viewer.pages.enrolling import address, sentence
from viewer.pages.parts import Parts, blurs, done, wants_json
from viewer.pages.photo_quality import quality_of

_SIGHTINGS = 8
_SEARCHES = 100
_SEARCH_DAYS = (1, 7, 30, 365)
_LONGEST_NOTES = 2_000


def add_person_routes(routes: Blueprint, parts: Parts) -> None:
    """`/people/<slug>` and what can be changed there."""
    _add_page(routes, parts)
    _add_changes(routes, parts)
    _add_searches(routes, parts)
    _add_erasing(routes, parts)


def _add_page(routes: Blueprint, parts: Parts) -> None:
    identifier = parts.identifier

    @routes.get("/people/<slug>")
    @needs("read")
    def person_page(slug: str) -> str:
        found = identifier.get(address("people", slug))
        faces = [{**face, "quality": quality_of(face)} for face in found["faces"]]
        merge = request.args.get("merge", "")[:80]
        return render_template(
            "person_page.html",
            person=found["person"],
            faces=faces,
            sightings=identifier.get("/sightings", person=slug, limit=_SIGHTINGS)["sightings"],
            searches=_searches(identifier, slug),
            search_days=_SEARCH_DAYS,
            default=default_threshold(identifier.get("/gallery")),
            into=_named(identifier, merge) if merge else None,
            longest_notes=_LONGEST_NOTES,
            blurred=blurs(parts),
        )


def _add_changes(routes: Blueprint, parts: Parts) -> None:
    identifier, t = parts.identifier, parts.texts

    @routes.post("/people/<slug>")
    @needs("teach")
    def change(slug: str) -> BaseResponse:
        """Change what the form has: name, notes, threshold (empty for the default)."""
        wanted: Json = {}
        if "name" in request.form:
            wanted["name"] = request.form["name"].strip()
        if "notes" in request.form:
            wanted["notes"] = request.form["notes"].replace("\r\n", "\n")
        if "default" in request.form:
            wanted["threshold"] = None
        elif "threshold" in request.form:
            wanted["threshold"] = threshold_of(request.form["threshold"])
            if wanted["threshold"] is None:
                abort(422, t("people.bad_threshold"))
        found = identifier.send("PATCH", address("people", slug), json=wanted)
        return done(f"/people/{slug}", {"person": found["person"]})

    @routes.post("/people/<slug>/merge")
    @needs("teach")
    def merge(slug: str) -> BaseResponse:
        """Make this person and another one, whose name or slug is given, one."""
        into = request.form.get("into", "").strip()
        other = _named(identifier, into)
        if other is None:
            abort(404, t("people.no_such_person", name=into[:100]))
        if other["slug"] == slug:
            abort(422, t("people.merge_self"))
        found = identifier.send(
            "POST", address("people", slug, "merge"), json={"into": other["slug"]}
        )
        return done(f"/people/{other['slug']}", {"person": found["person"]})

    @routes.post("/people/<slug>/photos/<face_id>/remove")
    @needs("teach")
    def remove_photo(slug: str, face_id: str) -> BaseResponse:
        identifier.send("DELETE", address("people", slug, "faces", face_id))
        return done(f"/people/{slug}")

    @routes.post("/people/<slug>/remove")
    @needs("erase")
    def remove(slug: str) -> BaseResponse:
        """Take a person out of the gallery; what was seen of them stays."""
        identifier.send("DELETE", address("people", slug))
        return done("/people")


def _add_searches(routes: Blueprint, parts: Parts) -> None:
    identifier, t = parts.identifier, parts.texts

    @routes.post("/people/<slug>/search")
    @needs("teach")
    def search(slug: str) -> BaseResponse:
        """Look for them in the faces of the past."""
        days = request.form.get("days", 7, int)
        if not 0 < days <= max(_SEARCH_DAYS):
            abort(422, t("people.bad_days"))
        since = datetime.now(UTC) - timedelta(days=days)
        wanted = {"person": slug, "since": since.isoformat()}
        started = identifier.send("POST", "/backfills", json=wanted)
        return done(f"/people/{slug}#searches", {"search": started})

    @routes.get("/people/<slug>/searches.json")
    @needs("read")
    def searches(slug: str) -> Response:
        """How far the searches are; with the words of the page."""
        found = _searches(identifier, slug)
        html = render_template("person_searches.html", searches=found, slug=slug)
        return jsonify(busy=any(is_busy(each) for each in found), html=html)

    @routes.post("/people/<slug>/search/<search_id>/cancel")
    @needs("teach")
    def cancel(slug: str, search_id: str) -> BaseResponse:
        identifier.send("POST", address("backfills", search_id, "cancel"))
        return done(f"/people/{slug}#searches")


def _add_erasing(routes: Blueprint, parts: Parts) -> None:
    identifier, t = parts.identifier, parts.texts

    @routes.get("/people/<slug>/erase")
    @needs("erase")
    def ask(slug: str) -> str:
        """What goes, and what does not; the name is to be typed."""
        found = identifier.get(address("people", slug))
        return render_template("person_erase.html", person=found["person"], problem="")

    @routes.post("/people/<slug>/erase")
    @needs("erase")
    def erase(slug: str) -> BaseResponse | str | tuple[str, int]:
        person = identifier.get(address("people", slug))["person"]
        if not is_same_name(request.form.get("name", ""), str(person["name"])):
            if wants_json():
                abort(422, t("people.name_differs"))
            problem = t("people.name_differs")
            return render_template("person_erase.html", person=person, problem=problem), 422
        try:
            proof = identifier.send("POST", address("people", slug, "erase"))
        except IdentifierProblem as unfinished:
            if unfinished.status != 503 or wants_json():
                raise
            problem = sentence(unfinished.detail)
            return render_template("person_erase.html", person=person, problem=problem), 503
        if wants_json():
            return jsonify(proof)
        return render_template("person_erased.html", person=person, proof=proof)


def threshold_of(text: str) -> float | None:
    """A threshold as typed; None where it is none."""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return value if -1 <= value <= 1 else None


def is_same_name(typed: str, name: str) -> bool:
    """Whether somebody meant this name; spaces at the ends and upper case do not matter."""
    return " ".join(typed.split()).casefold() == " ".join(name.split()).casefold()


def is_busy(search: Json) -> bool:
    """Whether a search has not ended."""
    return search["state"] in ("queued", "running")


def default_threshold(gallery: Json) -> float | None:
    """The threshold of those who have none of their own; None where it is not known.

    Args:
        gallery: `GalleryAnswer` of the identifier.
    """
    told = gallery.get("threshold")
    if told is not None:
        return float(told)
    pack = packs().get(str(gallery.get("pack")))
    return None if pack is None else pack.threshold


def _searches(identifier: Identifier, slug: str) -> list[Json]:
    """The last searches for a person, newest first."""
    found = identifier.get("/backfills", limit=_SEARCHES)["backfills"]
    return [each for each in found if each["person"] == slug][:3]


def _named(identifier: Identifier, name: str) -> Json | None:
    """The person of a name or slug; None where there is none."""
    if not name:
        return None
    for one in identifier.get("/people", q=name[:100], limit=1_000)["people"]:
        if is_same_name(name, str(one["name"])) or one["slug"] == name:
            person: Json = one
            return person
    try:
        found: Json = identifier.get(address("people", name))["person"]
    except IdentifierProblem:
        return None
    return found
