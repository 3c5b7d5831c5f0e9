"""The pages: rendered here whole, kept up to date by a little script of their own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Flask, Response, abort, render_template, request, url_for
from werkzeug.exceptions import HTTPException

from viewer.state import StateReader

_HERE = Path(__file__).parent
_STATIC_MAX_AGE_S = 31_536_000
_TITLES = {404: "Nothing here", 405: "That is not possible here"}


def make_pages(state: StateReader, identifier_url: str) -> Flask:
    """The Flask application: `/`, `/camera/<name>`, `/person/<slug>` and the assets.

    Args:
        state: what there is to see.
        identifier_url: where people are enrolled, for the hints to newcomers.
    """
    app = Flask(
        __name__,
        template_folder=str(_HERE / "templates"),
        static_folder=str(_HERE / "static"),
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    versions = {file.name: _digest(file) for file in (_HERE / "static").iterdir()}

    @app.context_processor
    def helpers() -> dict[str, object]:
        def asset(name: str) -> str:
            return url_for("static", filename=name, v=versions[name])

        return {"asset": asset, "identifier_url": identifier_url.rstrip("/")}

    @app.get("/")
    def live() -> str:
        return render_template("live.html", state=state.read())

    @app.get("/camera/<name>")
    def camera(name: str) -> str:
        now = state.read()
        found = next((camera for camera in now["cameras"] if camera["name"] == name), None)
        if found is None:
            abort(404, f"There is no camera {name}, or it has not sent a frame for a long time.")
        return render_template("camera.html", state=now, camera=found)

    @app.get("/person/<slug>")
    def person(slug: str) -> str:
        now = state.read()
        found = next((person for person in now["people"] if person["slug"] == slug), None)
        if found is None:
            abort(404, f"Nobody called {slug} is enrolled or was seen.")
        return render_template("person.html", state=now, person=found)

    @app.errorhandler(HTTPException)
    def problem(error: HTTPException) -> tuple[str, int]:
        code = error.code or 500
        title = _TITLES.get(code, error.name)
        page = render_template("problem.html", title=title, detail=error.description)
        return page, code

    @app.after_request
    def cache(response: Response) -> Response:
        # Assets carry their digest in the address; everything else is of this moment.
        fresh = request.endpoint == "static" and "v" in request.args
        response.headers["Cache-Control"] = (
            f"public, max-age={_STATIC_MAX_AGE_S}, immutable" if fresh else "no-store"
        )
        return response

    return app


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
