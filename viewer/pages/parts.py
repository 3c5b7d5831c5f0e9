"""What the pages are made from, and what they have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Response, jsonify, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from viewer.access.flask import visitor
from viewer.identifier import File, Identifier, Json
from viewer.state import StateReader
from viewer.texts import Texts


@dataclass(frozen=True, slots=True)
class Parts:
    """What there is to show and where it is changed.

    Attributes:
        state: cameras and people as they are now.
        identifier: everything that is kept.
        texts: every sentence.
        blur_unknown: whether nobody is shown an unknown face unblurred.
        person_topics: what the names of people's topics begin with.
    """

    state: StateReader
    identifier: Identifier
    texts: Texts
    blur_unknown: bool = False
    person_topics: str = "faces.person."


def blurs(parts: Parts) -> bool:
    """Whether whoever asks is shown unknown faces only blurred."""
    return parts.blur_unknown or visitor().blur


def wants_json() -> bool:
    """Whether a script or a program asks, not a browser that shows the answer as a page."""
    if request.path.startswith("/api/") or "Authorization" in request.headers:
        return True
    return request.accept_mimetypes.best_match(("text/html", "application/json")) == (
        "application/json"
    )


def done(target: str, document: Json | None = None, status: int = 200) -> BaseResponse:
    """Answer a change: a document for a script, a redirect for a form.

    Args:
        target: the page to show next, an address of this site.
        document: what a script is told.
        status: of the answer to a script.
    """
    if wants_json():
        answer = jsonify(document or {})
        answer.status_code = status
        return answer
    return redirect(target, 303)


def picture(parts: Parts, file: File | None, *, max_age_s: int = 3_600) -> Response:
    """A picture out of the identifier; it is for the eyes of this visitor alone.

    Args:
        parts: the words where there is none.
        file: None answers 404.
        max_age_s: how long the visitor's browser may keep it.
    """
    if file is None or not file.media_type.startswith("image/"):
        return Response(parts.texts.line("base.no_picture"), 404, mimetype="text/plain")
    answer = Response(file.data, mimetype=file.media_type)
    answer.headers["Cache-Control"] = f"private, max-age={max_age_s}"
    answer.headers["Content-Disposition"] = "inline"
    return answer


def moment(text: str | None) -> datetime | None:
    """A time as the identifier writes it; None for none."""
    return None if not text else datetime.fromisoformat(text)
