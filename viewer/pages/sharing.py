"""Signed addresses of streams, for an `<img>` on a page elsewhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from flask import Blueprint, jsonify, request
from werkzeug.wrappers import Response as BaseResponse

from viewer.access.assembly import Access
from viewer.access.flask import needs, origin, visitor
from viewer.access.tokens import DEFAULT_S, LONGEST_S, stream_path
from viewer.pages.parts import Parts
from viewer.texts import Texts

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_FIELDS = frozenset({"camera", "person", "seconds", "blur"})


def sharing_routes(parts: Parts, access: Access) -> Blueprint:
    """`POST /api/stream-token`.

    It takes `{"camera": "hall"}` or `{"person": "sam"}`, with `seconds` and `blur`, and gives
    `token`, `url` and `expires_at`. A visitor who is shown unknown faces only blurred cannot sign
    for anything else.
    """
    routes = Blueprint("sharing", __name__)
    t = parts.texts

    @routes.post("/api/stream-token")
    @needs("streams")
    def sign() -> BaseResponse:
        asked = request.get_json(force=True, silent=True)
        if not isinstance(asked, dict) or not set(asked) <= _FIELDS:
            return _unusable(t, t("streams.token_fields", fields=", ".join(sorted(_FIELDS))))
        channel = _channel(asked.get("camera"), asked.get("person"))
        if channel is None:
            return _unusable(t, t("streams.token_channel"))
        seconds = asked.get("seconds", DEFAULT_S)
        if type(seconds) is not int or not 1 <= seconds <= LONGEST_S:
            return _unusable(t, t("streams.token_seconds", most=LONGEST_S))
        blur = bool(asked.get("blur")) or visitor().blur or parts.blur_unknown
        token, grant = access.stream_tokens.sign(channel, seconds, blur=blur)
        return jsonify(
            token=token,
            url=f"{origin().url}{stream_path(channel)}?token={token}",
            expires_at=datetime.fromtimestamp(grant.expires_s, UTC).isoformat(),
        )

    return routes


def _channel(camera: object, person: object) -> str | None:
    name = camera if person is None else person
    if (camera is None) == (person is None) or not isinstance(name, str):
        return None
    if not _NAME.fullmatch(name):
        return None
    return f"{'camera' if person is None else 'person'}/{name}"


def _unusable(t: Texts, detail: str) -> BaseResponse:
    title = t("base.error_422")
    answer = jsonify(title=title, status=422, detail=detail, reason="bad-request")
    answer.status_code = 422
    answer.mimetype = "application/problem+json"
    return answer
