"""Crops and frames of sightings; where unknown faces are blurred, here too."""

from __future__ import annotations

import re

from flask import Blueprint, Response, abort

from services.errors import RecordError
from services.records.jpeg import decode_jpeg, encode_jpeg
from viewer.access.flask import needs
from viewer.blurring import blur_all
from viewer.identifier import File, IdentifierProblem
from viewer.pages.parts import Parts, blurs, picture

_ID = re.compile(r"[0-9a-f]{32}")
_BLURRED_MAX_AGE_S = 60
_MOST_CROP_BYTES = 4_194_304
_MOST_CROP_PX = 4_194_304
_QUALITY = 80


def check_id(sighting: str) -> str:
    """The id of a sighting, as it came; anything else is answered 404."""
    if not _ID.fullmatch(sighting):
        abort(404)
    return sighting


def picture_routes(parts: Parts) -> Blueprint:
    """`/sightings/<id>/crop.jpg` and `/sightings/<id>/frame.jpg`."""
    routes = Blueprint("sighting_pictures", __name__)
    identifier, t = parts.identifier, parts.texts

    @routes.get("/sightings/<sighting>/crop.jpg")
    @needs("read")
    def crop(sighting: str) -> Response:
        file = identifier.file(f"/sightings/{check_id(sighting)}/crop")
        if file is None or not blurs(parts) or _has_name(parts, sighting):
            return picture(parts, file)
        return picture(parts, _blurred(file), max_age_s=_BLURRED_MAX_AGE_S)

    @routes.get("/sightings/<sighting>/frame.jpg")
    @needs("read")
    def frame(sighting: str) -> Response:
        check_id(sighting)
        if blurs(parts):
            # Who else is in the frame is not known here: they could not be blurred.
            abort(403, t("sightings.no_frame_blurred"))
        return picture(parts, identifier.file(f"/sightings/{sighting}/frame"))

    return routes


def _has_name(parts: Parts, sighting: str) -> bool:
    try:
        return parts.identifier.get(f"/sightings/{sighting}")["person"] is not None
    except IdentifierProblem as refused:
        if refused.status == 404:
            return False
        raise


def _blurred(file: File) -> File | None:
    """The picture made unrecognisable; None for one that cannot be read."""
    try:
        image = decode_jpeg(file.data, max_bytes=_MOST_CROP_BYTES, max_pixels=_MOST_CROP_PX)
    except RecordError:
        return None
    blur_all(image)
    return File("image/jpeg", encode_jpeg(image, _QUALITY))
