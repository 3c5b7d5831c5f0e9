"""`/api/v1/backfills`: find someone in the faces of the past."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from identifier.api.moments import Moment
from identifier.api.problems import MEDIA_TYPE, Problem, ProblemError
from identifier.history.backfill import Backfills
from identifier.history.jobs import Backfill
from identifier.names import LONGEST_SLUG

State = Literal["queued", "running", "done", "failed", "cancelled"]
BackfillId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_NONE = {
    "description": "There is none.",
    "model": Problem,
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


class BackfillRequest(BaseModel):
    """Who is to be found, and how far back."""

    model_config = ConfigDict(extra="forbid")

    person: str = Field(
        description="The person's slug.", pattern=r"^[a-z0-9-]+$", max_length=LONGEST_SLUG + 8
    )
    since: Moment = Field(description="Read the log from this time on.")


class BackfillAnswer(BaseModel):
    """A search through the log of faces, and how far it is."""

    id: str
    person: str = Field(description="Slug.")
    name: str = Field(description="As it was when the search was asked for.")
    since: datetime
    state: State
    faces: int = Field(description="Faces that were looked at.")
    faces_total: int = Field(description="About how many there are to look at; 0 until it runs.")
    hits: int = Field(description="Faces that were the person's.")
    sightings: int = Field(description="Sightings that were made, or got the person's name.")
    rate_faces_s: float = Field(description="Faces per second of late; 0 when it does not run.")
    error: str = Field(description="One sentence where it failed, else empty.")
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, found: Backfill) -> Self:
        """From the history's value."""
        return cls.model_validate(
            {
                "person": found.slug,
                **{name: getattr(found, name) for name in cls.model_fields if name != "person"},
            }
        )


class BackfillsAnswer(BaseModel):
    """Searches, newest first."""

    backfills: list[BackfillAnswer]
    next: str | None = Field(description="Give it as `after` for more; null at the end.")


def backfill_routes(backfills: Backfills) -> APIRouter:
    """The paths of backfills."""
    router = APIRouter(prefix="/api/v1/backfills", tags=["backfills"])

    @router.get("")
    def list_backfills(
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        after: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
    ) -> BackfillsAnswer:
        """List backfills, newest first."""
        found = backfills.listed(limit + 1, after)
        more = len(found) > limit
        return BackfillsAnswer(
            backfills=[BackfillAnswer.of(one) for one in found[:limit]],
            next=found[limit - 1].id if more else None,
        )

    @router.post("", status_code=202, responses={404: _NONE})
    def start_backfill(wanted: BackfillRequest) -> BackfillAnswer:
        """Find a person in the faces the log still has; what is found become sightings."""
        started = backfills.start(wanted.person, wanted.since)
        if started is None:
            raise ProblemError(404, "no-such-person", f"there is no person {wanted.person}")
        return BackfillAnswer.of(started)

    @router.get("/{backfill_id}", responses={404: _NONE})
    def get_backfill(backfill_id: BackfillId) -> BackfillAnswer:
        """Say how far a backfill is."""
        return _answer(backfills.get(backfill_id), backfill_id)

    @router.post("/{backfill_id}/cancel", responses={404: _NONE})
    def cancel_backfill(backfill_id: BackfillId) -> BackfillAnswer:
        """End a backfill that has not ended; what it found stays."""
        return _answer(backfills.cancel(backfill_id), backfill_id)

    return router


def _answer(found: Backfill | None, backfill_id: str) -> BackfillAnswer:
    if found is None:
        raise ProblemError(404, "no-such-backfill", f"there is no backfill {backfill_id}")
    return BackfillAnswer.of(found)
