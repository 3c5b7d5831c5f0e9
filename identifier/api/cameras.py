"""`/api/v1/cameras` for people, `/api/v1/producers` for the producers that run cameras."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from identifier.api.cameras_shapes import (
    NAME_PATTERN,
    PRODUCER_PATTERN,
    CameraAnswer,
    CameraChangeRequest,
    CameraRequest,
    CamerasAnswer,
    OrdersAnswer,
    ReportRequest,
    ShotRefusal,
    ShotRequest,
    answer_of,
)
from identifier.api.pictures import PICTURE_HEADERS
from identifier.api.problems import MEDIA_TYPE, Problem, ProblemError
from identifier.cameras.leases import Leases
from identifier.cameras.shots import Shots
from identifier.cameras.store import Cameras
from identifier.cameras.tables import LONGEST_CAMERA_NAME, LONGEST_PRODUCER_ID
from identifier.cameras.values import Camera, CameraChange
from services.errors import RecordError, SettingsError
from services.records.jpeg import check_jpeg

CameraName = Annotated[
    str, Path(pattern=NAME_PATTERN, min_length=1, max_length=LONGEST_CAMERA_NAME)
]
ProducerId = Annotated[
    str, Path(pattern=PRODUCER_PATTERN, min_length=1, max_length=LONGEST_PRODUCER_ID)
]
ShotId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]

_SHOT_WITHIN_S = 15.0
_LOOK_EVERY_S = 0.15
_SHOT_MAX_BYTES = 4_194_304
_SHOT_MAX_PIXELS = 4_000_000
_STATUS = {"name-taken": 409, "too-many-cameras": 409, "too-many-shots": 429}
_JPEG = {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}
_WORDS = {
    404: "There is none.",
    409: "The name is taken, or no producer is there; `reason` says which.",
    413: "Too large.",
    415: "Neither a JPEG nor a problem.",
    422: "The request, or the camera, cannot be used; `reason` says why.",
    429: "Many test shots are being taken.",
}


@dataclass(frozen=True, slots=True)
class CameraRooms:
    """What these paths are about.

    Attributes:
        cameras: those that are kept.
        leases: who runs which.
        shots: test shots.
        ending: whether the API is about to end: nobody is kept waiting then.
        shot_within_s: how long a test shot may take.
    """

    cameras: Cameras
    leases: Leases
    shots: Shots
    ending: Callable[[], bool] = lambda: False
    shot_within_s: float = _SHOT_WITHIN_S


def camera_routes(rooms: CameraRooms) -> APIRouter:
    """The paths of cameras and producers."""
    router = APIRouter()
    _add_shots(router, rooms)
    _add_looking(router, rooms)
    _add_changing(router, rooms)
    _add_producers(router, rooms)
    return router


def _add_looking(router: APIRouter, rooms: CameraRooms) -> None:
    @router.get("/api/v1/cameras", tags=["cameras"])
    def list_cameras() -> CamerasAnswer:
        """List every camera: those added here, those of SOURCES, those that are pushed."""
        return CamerasAnswer.of(rooms.cameras.all(), rooms.leases.producers())

    @router.get("/api/v1/cameras/{name}", tags=["cameras"], responses={404: _problem(404)})
    def get_camera(name: CameraName) -> CameraAnswer:
        """Show one camera."""
        found = rooms.cameras.get(name)
        if found is not None:
            return _shown(rooms, found)
        for producer in rooms.leases.producers():
            for running in producer.report.cameras:
                if running.name == name and running.own:
                    return CameraAnswer.own(running, producer.id)
        raise _no_camera(name)


def _add_changing(router: APIRouter, rooms: CameraRooms) -> None:
    @router.post(
        "/api/v1/cameras",
        tags=["cameras"],
        status_code=201,
        responses={status: _problem(status) for status in (409, 422)},
    )
    def add_camera(wanted: CameraRequest) -> CameraAnswer:
        """Add a camera; a producer that follows this identifier runs it within seconds."""
        with _refusals():
            added = rooms.cameras.add(
                wanted.name,
                wanted.address,
                enabled=wanted.enabled,
                fps=wanted.fps,
                max_side=wanted.max_side,
            )
        return _shown(rooms, added)

    @router.patch(
        "/api/v1/cameras/{name}",
        tags=["cameras"],
        responses={status: _problem(status) for status in (404, 422)},
    )
    def change_camera(name: CameraName, change: CameraChangeRequest) -> CameraAnswer:
        """Change a camera's address, rate or size, or switch it on or off."""
        wanted = CameraChange(change.address, change.enabled, change.fps, change.max_side)
        with _refusals():
            changed = rooms.cameras.change(name, wanted)
        if changed is None:
            raise _no_camera(name)
        return _shown(rooms, changed)

    @router.delete(
        "/api/v1/cameras/{name}",
        tags=["cameras"],
        status_code=204,
        responses={404: _problem(404)},
    )
    def remove_camera(name: CameraName) -> None:
        """Forget a camera with its address; what was seen by it stays."""
        if not rooms.cameras.remove(name):
            raise _no_camera(name)


def _add_shots(router: APIRouter, rooms: CameraRooms) -> None:
    @router.post(
        "/api/v1/cameras/shots",
        tags=["cameras"],
        response_class=Response,
        responses={
            200: {"description": "The picture, at most 1280 px wide or high.", "content": _JPEG},
            **{status: _problem(status) for status in (404, 409, 422, 429)},
        },
    )
    async def take_shot(wanted: ShotRequest) -> Response:
        """Let a producer take one picture of a camera, added or not; answers within 15 s."""
        shot = await run_in_threadpool(_want, rooms, wanted)
        try:
            jpeg = await _wait(rooms, shot)
        finally:
            await run_in_threadpool(rooms.shots.forget, shot)
        headers = PICTURE_HEADERS | {"Cache-Control": "no-store"}
        return Response(jpeg, media_type="image/jpeg", headers=headers)


def _add_producers(router: APIRouter, rooms: CameraRooms) -> None:
    @router.put("/api/v1/producers/{producer}", tags=["producers"], responses={422: _problem(422)})
    def report(producer: ProducerId, report: ReportRequest) -> OrdersAnswer:
        """Note what a producer says of itself; answers what it is to run, with addresses."""
        with _refusals():
            orders = rooms.leases.report(producer, report.value())
        return OrdersAnswer.of(orders, rooms.leases.lease_s)

    @router.put(
        "/api/v1/producers/{producer}/shots/{shot}",
        tags=["producers"],
        status_code=204,
        responses={status: _problem(status) for status in (404, 413, 415, 422)},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": _JPEG | {MEDIA_TYPE: {"schema": ShotRefusal.model_json_schema()}},
            }
        },
    )
    async def deliver_shot(producer: ProducerId, shot: ShotId, request: Request) -> None:
        """Deliver a picture that was asked for, or the reason why there is none."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await request.body()
        if not await run_in_threadpool(_deliver, rooms.shots, producer, shot, kind, body):
            raise ProblemError(404, "no-such-shot", f"{producer} was not asked for this, or late")


def _want(rooms: CameraRooms, wanted: ShotRequest) -> str:
    if (wanted.address is None) == (wanted.camera is None):
        raise ProblemError(422, "bad-request", "give either an address or a camera")
    with _refusals():
        address = wanted.address
        if wanted.camera is not None:
            address = rooms.cameras.address_of(wanted.camera)
        if address is None:
            raise _no_camera(wanted.camera or "")
        shot = rooms.shots.want(address)
    if not any(producer.report.follows for producer in rooms.leases.producers()):
        rooms.shots.forget(shot)
        raise ProblemError(
            409,
            "no-producer",
            "no producer follows this identifier: start one, RUNTIME_CAMERAS=true",
        )
    return shot


async def _wait(rooms: CameraRooms, shot: str) -> bytes:
    until_s = time.monotonic() + rooms.shot_within_s
    while time.monotonic() < until_s and not rooms.ending():
        found = await run_in_threadpool(rooms.shots.look, shot)
        if found is None:
            break
        if found.jpeg is not None:
            return found.jpeg
        if found.state == "failed":
            raise ProblemError(422, found.reason, found.error)
        await asyncio.sleep(_LOOK_EVERY_S)
    raise ProblemError(422, "no-answer", "no picture within 15 s")


def _deliver(shots: Shots, producer: str, shot: str, kind: str, body: bytes) -> bool:
    if kind == "image/jpeg":
        try:
            check_jpeg(body, max_bytes=_SHOT_MAX_BYTES, max_pixels=_SHOT_MAX_PIXELS)
        except RecordError as error:
            if error.reason == "too-many-bytes":
                raise ProblemError(413, error.reason, str(error)) from None
            raise
        return shots.deliver(shot, producer, body)
    if kind in (MEDIA_TYPE, "application/json"):
        try:
            refusal = ShotRefusal.model_validate_json(body)
        except ValidationError as error:
            raise ProblemError(422, "bad-request", error.errors()[0]["msg"]) from None
        detail = "".join(sign for sign in refusal.detail if sign.isprintable())
        return shots.fail(shot, producer, refusal.reason, detail)
    raise ProblemError(415, "unsupported-format", f"send image/jpeg or {MEDIA_TYPE}")


def _shown(rooms: CameraRooms, camera: Camera) -> CameraAnswer:
    producers = {producer.id: producer for producer in rooms.leases.producers()}
    blockers = {c.name: p.id for p in producers.values() for c in p.report.cameras if c.own}
    return answer_of(camera, producers, blockers)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except RecordError as error:
        if error.reason not in _STATUS:
            raise
        raise ProblemError(_STATUS[error.reason], error.reason, str(error)) from None
    except SettingsError as error:
        raise ProblemError(503, "no-camera-key", str(error)) from None


def _no_camera(name: str) -> ProblemError:
    return ProblemError(404, "no-such-camera", f"there is no camera {name}")


def _problem(status: int) -> dict[str, object]:
    return {
        "description": _WORDS[status],
        "model": Problem,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
