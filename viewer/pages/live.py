"""What is to be seen now: every camera, one camera, one person."""

from __future__ import annotations

from flask import Blueprint, Response, abort, jsonify, render_template, request

from viewer.access.flask import needs, origin
from viewer.identifier import IdentifierAway
from viewer.pages.parts import Parts


def live_pages(parts: Parts) -> Blueprint:
    """`/`, `/camera/<name>`, `/person/<slug>` and `/api/lately.json`."""
    routes = Blueprint("live", __name__)
    t = parts.texts

    @routes.get("/")
    @needs("streams")
    def live() -> str:
        return render_template(
            "live.html", state=parts.state.read(), blur_forced=parts.blur_unknown
        )

    @routes.get("/camera/<name>")
    @needs("streams")
    def camera(name: str) -> str:
        now = parts.state.read()
        found = next((camera for camera in now["cameras"] if camera["name"] == name), None)
        if found is None:
            abort(404, t("live.no_such_camera", name=name))
        return render_template(
            "camera.html",
            state=now,
            camera=found,
            blur_forced=parts.blur_unknown,
            site=origin().url,
        )

    @routes.get("/person/<slug>")
    @needs("streams")
    def person(slug: str) -> str:
        found = parts.state.person(slug)
        if found is None:
            abort(404, t("live.no_such_person", slug=slug))
        return render_template(
            "person.html",
            state=parts.state.read(),
            person=found,
            blur_forced=parts.blur_unknown,
            site=origin().url,
        )

    @routes.get("/api/lately.json")
    @needs("read")
    def lately() -> Response:
        """The newest sightings, for the strip beside the pictures; none while nobody knows."""
        limit = min(50, max(1, request.args.get("limit", 8, int)))
        try:
            return jsonify(parts.identifier.get("/sightings", limit=limit))
        except IdentifierAway:
            return jsonify(sightings=[])

    return routes
