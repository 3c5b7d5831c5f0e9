"""The cameras: all there are, added and changed here, and this browser as one of them."""

from __future__ import annotations

import math

from flask import Blueprint, Response, abort, jsonify, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from services.records.frames import valid_camera_name
from viewer.access.flask import needs, visitor
from viewer.cameras import Cameras, CamerasJson, SourceJson
from viewer.identifier import IdentifierProblem, Json
from viewer.pages.parts import Parts, blurs, done
from viewer.pages.shots import blurred_shot
from viewer.texts import Texts

_FIELDS = ("name", "camera", "address", "fps", "max_side", "enabled")
_ON = ("1", "true", "on")


def cameras_pages(parts: Parts) -> Blueprint:
    """`/cameras`, `/cameras/<name>`, their changes, `/test-shot` and `/api/cameras.json`."""
    routes = Blueprint("cameras", __name__)
    cameras = Cameras(parts.identifier, parts.state)
    _looking(routes, parts, cameras)
    _changing(routes, parts, cameras)
    _testing(routes, parts)
    return routes


def _looking(routes: Blueprint, parts: Parts, cameras: Cameras) -> None:

    def one(name: str) -> tuple[CamerasJson, SourceJson]:
        everything = cameras.read(addresses=visitor().may("cameras"))
        found = next((each for each in everything["cameras"] if each["name"] == name), None)
        if found is None:
            abort(404, parts.texts("cameras.none_such", name=name))
        return everything, found

    @routes.get("/cameras")
    @needs("streams")
    def page() -> str:
        now = cameras.read(addresses=visitor().may("cameras"))
        return render_template("cameras.html", now=now, blurred=blurs(parts))

    @routes.get("/api/cameras.json")
    @needs("streams")
    def state() -> Response:
        return jsonify(cameras.read(addresses=visitor().may("cameras")))

    @routes.get("/cameras/<name>")
    @needs("streams")
    def camera(name: str) -> str:
        everything, found = one(name)
        return render_template(
            "camera_settings.html", now=everything, camera=found, blurred=blurs(parts)
        )


def _changing(routes: Blueprint, parts: Parts, cameras: Cameras) -> None:
    t = parts.texts

    def send(method: str, path: str, given: Json | None = None) -> Json:
        try:
            return parts.identifier.send(method, path, json=given)
        finally:
            cameras.changed()

    @routes.post("/cameras")
    @needs("cameras")
    def add() -> BaseResponse:
        given = _given(t)
        name = str(given.get("name", "")).strip()
        if not valid_camera_name(name):
            abort(422, t("cameras.bad_name"))
        given["name"] = name
        given.pop("camera", None)
        return done(f"/cameras#camera-{name}", send("POST", "/cameras", given), 201)

    @routes.post("/cameras/<name>/change")
    @needs("cameras")
    def change(name: str) -> BaseResponse:
        given = _given(t)
        for other in ("name", "camera"):
            given.pop(other, None)
        return done(
            f"/cameras#camera-{name}",
            send("PATCH", f"/cameras/{_safe(name)}", given),
        )

    @routes.post("/cameras/<name>/remove")
    @needs("cameras")
    def remove(name: str) -> BaseResponse:
        return done("/cameras", send("DELETE", f"/cameras/{_safe(name)}"))


def _testing(routes: Blueprint, parts: Parts) -> None:
    t = parts.texts

    @routes.post("/test-shot")
    @needs("cameras")
    def shot() -> Response:
        given = _given(t)
        asked = {name: given[name] for name in ("address", "camera") if name in given}
        if "address" in asked:
            asked.pop("camera", None)
        try:
            found = parts.identifier.file("/cameras/shots", method="POST", json=asked)
        except IdentifierProblem as refused:
            key = f"cameras.shot_{refused.reason.replace('-', '_')}"
            if key in t:
                refused.detail = t(key, detail=refused.detail)
            raise
        if found is None or not found.media_type.startswith("image/"):
            abort(404, t("cameras.no_shot"))
        if blurs(parts):
            found = blurred_shot(parts, found)
        answer = Response(found.data, mimetype=found.media_type)
        answer.headers["Content-Disposition"] = "inline"
        return answer


def _given(t: Texts) -> Json:
    """The fields of a form or document that are filled in; numbers as numbers."""
    document = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    if type(document) is not dict:
        abort(422, t("cameras.no_document"))
    found: Json = {}
    for name in _FIELDS:
        value = document.get(name)
        if value is None or value == "":
            continue
        text = str(value).strip()
        try:
            if name == "fps":
                found[name] = _finite(text)
            elif name == "max_side":
                found[name] = int(text)
            elif name == "enabled":
                found[name] = text.lower() in _ON
            else:
                found[name] = text
        except ValueError:
            abort(422, t("cameras.no_number", text=text[:40]))
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _safe(name: str) -> str:
    """A name that may stand in an address of the identifier."""
    if not valid_camera_name(name):
        abort(404)
    return name
