"""The pages: rendered here whole, kept up to date by small scripts of their own."""

from __future__ import annotations

from datetime import datetime

import structlog
from flask import Flask, Response, jsonify, render_template, request
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from viewer.access.assembly import Access
from viewer.access.flask import check_csrf, visitor
from viewer.bodies import MOST_BODY_BYTES
from viewer.identifier import IdentifierAway, IdentifierProblem
from viewer.pages.account import account_pages
from viewer.pages.assets import Assets
from viewer.pages.cameras import cameras_pages
from viewer.pages.live import live_pages
from viewer.pages.parts import Parts, moment, wants_json
from viewer.pages.people import people_pages
from viewer.pages.sharing import sharing_routes
from viewer.pages.sightings import sightings_pages
from viewer.pages.system import system_pages
from viewer.pages.unknown import unknown_pages
from viewer.pages.users import user_pages
from viewer.system.system import SystemView

log = structlog.get_logger()

_MOST_FORM_BYTES = 1024 * 1024
_PAGES = (live_pages, people_pages, unknown_pages, cameras_pages, sightings_pages)


def make_pages(parts: Parts, access: Access, system: SystemView) -> Flask:
    """The Flask application: every page and the assets.

    Args:
        parts: what the pages show and where they change it.
        access: who is let in, and how.
        system: how everything is doing.
    """
    app = Flask(__name__, template_folder="../templates", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MOST_BODY_BYTES, MAX_FORM_MEMORY_SIZE=_MOST_FORM_BYTES)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.globals["t"] = parts.texts
    app.jinja_env.filters.update(clock=_clock, moment=moment)
    assets = Assets(parts.texts)
    app.register_blueprint(assets.routes())
    for pages in _PAGES:
        app.register_blueprint(pages(parts))
    for guarded in (account_pages, user_pages, sharing_routes):
        app.register_blueprint(guarded(parts, access))
    app.register_blueprint(system_pages(parts, system))
    app.before_request(check_csrf)
    _answer_problems(app, parts)

    @app.context_processor
    def helpers() -> dict[str, object]:
        return {
            "asset": assets.address,
            "visitor": visitor(),
            "person_topics": parts.person_topics,
        }

    @app.after_request
    def cache(response: Response) -> Response:
        # Assets carry their digest in the address; everything else is of this moment.
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return app


def _answer_problems(app: Flask, parts: Parts) -> None:
    t = parts.texts

    def answer(status: int, title: str, detail: str, reason: str) -> BaseResponse:
        if wants_json():
            body = jsonify(title=title, status=status, detail=detail, reason=reason)
            body.status_code = status
            body.mimetype = "application/problem+json"
            return body
        return app.make_response(
            (render_template("problem.html", title=title, detail=detail), status)
        )

    @app.errorhandler(HTTPException)
    def problem(error: HTTPException) -> BaseResponse:
        code = error.code or 500
        title = t(f"base.error_{code}") if f"base.error_{code}" in t else t("base.refused")
        detail = error.description or ""
        if detail == type(error).description:  # werkzeug's words, in English
            key = f"base.error_{code}_detail"
            detail = t(key) if key in t else ""
        return answer(code, title, detail, error.name.lower().replace(" ", "-"))

    @app.errorhandler(IdentifierProblem)
    def refused(error: IdentifierProblem) -> BaseResponse:
        if wants_json():
            body = jsonify(error.document())
            body.status_code = error.status if error.status != 401 else 502
            body.mimetype = "application/problem+json"
            return body
        status = error.status if error.status in (403, 404, 409, 413, 415, 422) else 502
        return answer(status, t("base.refused"), error.detail, error.reason)

    @app.errorhandler(IdentifierAway)
    def away(error: IdentifierAway) -> BaseResponse:
        log.warning("a page could not be shown", path=request.path, error=str(error))
        return answer(503, t("base.away"), t("base.away_detail"), "identifier-away")


def _clock(value: str | datetime | None) -> str:
    """A time for those without scripts; with scripts, `<time>` is shown in their own zone."""
    at = moment(value) if isinstance(value, str) else value
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"
