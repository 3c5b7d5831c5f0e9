"""Errors as RFC 9457 problems: `application/problem+json`, with the reason in one word."""

from __future__ import annotations

import json
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from identifier.photos import EnrolmentError
from services.errors import ModelError, RecordError

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
_STATUS = {"too-large": 413, "unsupported-format": 415}
_UNUSABLE = 422


class Problem(BaseModel):
    """What every error answer looks like."""

    model_config = ConfigDict(extra="forbid")

    type: str = "about:blank"
    title: str = Field(description="What the status means.")
    status: int
    detail: str = Field(description="One sentence about this very case.")
    reason: str = Field(description="One kebab-case word for programs, such as `several-faces`.")
    measured: dict[str, float] = Field({}, description="What was found, unit in the name.")
    allowed: dict[str, float] = Field({}, description="What is asked for, by the same names.")


class ProblemError(Exception):
    """Raised where a request cannot be answered otherwise."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem(status, reason, detail)


def problem(status: int, reason: str, detail: str) -> Problem:
    """A problem without measurements."""
    return Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, reason=reason)


def respond(found: Problem) -> Response:
    """The HTTP answer for a problem."""
    headers = {"WWW-Authenticate": "Bearer"} if found.status == HTTPStatus.UNAUTHORIZED else None
    body = json.dumps(found.model_dump(), ensure_ascii=False)
    return Response(body, found.status, headers=headers, media_type=MEDIA_TYPE)


def handle_problems(app: FastAPI) -> None:
    """Make every error of the app a problem."""

    def answer(request: Request, error: Exception) -> Response:
        found = respond(problem_of(error))
        if found.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            found.headers["Allow"] = ", ".join(_allowed(request)) or "GET"
        return found

    for kind in (
        ProblemError,
        RecordError,
        RequestValidationError,
        HTTPException,
        ModelError,
        DBAPIError,
        Exception,
    ):
        app.add_exception_handler(kind, answer)


def _allowed(request: Request) -> list[str]:
    """Methods described for a path; Starlette's answer names those of one route only."""
    path = request.scope["path"]
    described = request.app.openapi()["paths"]
    if path in described:  # `/users/authenticate` is no user
        return sorted(map(str.upper, described[path]))
    return sorted(
        method.upper()
        for template, methods in described.items()
        if compile_path(template)[0].match(path)
        for method in methods
    )


def problem_of(error: Exception) -> Problem:
    """What to tell the client about an error."""
    match error:
        case ProblemError():
            return error.problem
        case EnrolmentError():
            found = problem(_STATUS.get(error.reason, _UNUSABLE), error.reason, str(error))
            return found.model_copy(update={"measured": error.measured, "allowed": error.allowed})
        case RecordError():
            return problem(_UNUSABLE, error.reason, str(error))
        case RequestValidationError():
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            return problem(_UNUSABLE, "bad-request", f"{where}: {first['msg']}")
        case HTTPException():
            reason = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
            return problem(error.status_code, reason, str(error.detail))
        case ModelError():
            return problem(503, "models-unavailable", str(error))
        case DBAPIError():
            log.warning(
                "the database failed",
                error=type(error.orig).__name__,
                sqlstate=getattr(error.orig, "sqlstate", None),
            )
            return problem(503, "database-unavailable", "the gallery's database is away")
    return problem(500, "internal-error", "the identifier failed; its log says how")
