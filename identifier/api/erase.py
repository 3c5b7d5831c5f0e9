"""`POST /api/v1/people/{slug}/erase`: forget a person, and prove it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

import structlog
from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from identifier.api.problems import MEDIA_TYPE, Problem, ProblemError
from identifier.history.erase import Erasure, Proof
from identifier.history.erase_topics import KeptIn
from identifier.names import LONGEST_SLUG
from services.errors import BrokerUnavailable

log = structlog.get_logger()

Slug = Annotated[str, Path(pattern=r"^[a-z0-9-]+$", max_length=LONGEST_SLUG + 8)]
_WORDS = {404: "There is no such person.", 503: "It is not finished; erase again."}


class KeptShape(BaseModel):
    """A topic that forgets by itself."""

    topic: str
    holds: str = Field(description="What of the person may be in it.")
    retention_ms: int | None = Field(
        description="How long it keeps records; -1 for ever, null where that cannot be read."
    )
    expires_at: datetime | None = Field(
        description="When the last record of now is gone at the latest; null: unknown, or never."
    )

    @classmethod
    def of(cls, kept: KeptIn) -> Self:
        """From the history's value."""
        return cls(
            topic=kept.topic,
            holds=kept.holds,
            retention_ms=kept.retention_ms,
            expires_at=kept.expires_at,
        )


class ErasureAnswer(BaseModel):
    """What was removed, what forgets by itself and when, and what a look afterwards found."""

    at: datetime
    removed: dict[str, int] = Field(description="How many there were, by kind.")
    kept: list[KeptShape]
    not_removed: list[str] = Field(description="What may be left and is not ours to remove.")
    remaining: list[str] = Field(description="What was looked for afterwards and is still there.")
    verified: bool = Field(description="Whether nothing is still there.")

    @classmethod
    def of(cls, proof: Proof) -> Self:
        """From the history's value."""
        return cls(
            at=proof.at,
            removed=dict(proof.removed),
            kept=[KeptShape.of(topic) for topic in proof.kept],
            not_removed=list(proof.not_removed),
            remaining=list(proof.remaining),
            verified=proof.verified,
        )


def erase_routes(erasure: Erasure) -> APIRouter:
    """The path of erasing."""
    router = APIRouter(prefix="/api/v1/people", tags=["people"])

    @router.post("/{slug}/erase", responses={status: _problem(status) for status in _WORDS})
    def erase_person(slug: Slug) -> ErasureAnswer:
        """Remove everything about a person: photos, embeddings, sightings, crops, events, topic."""
        try:
            proof = erasure.erase(slug)
        except (BrokerUnavailable, OSError) as error:
            log.warning("erasing is not finished", why=type(error).__name__)
            raise ProblemError(
                503,
                "erasing-unfinished",
                "Kafka or the crops' storage does not answer: the person is not recognised any "
                "more, but not everything is removed; erase again",
            ) from None
        if proof is None:
            raise ProblemError(404, "no-such-person", "there is no such person")
        return ErasureAnswer.of(proof)

    return router


def _problem(status: int) -> dict[str, object]:
    return {
        "description": _WORDS[status],
        "model": Problem,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
