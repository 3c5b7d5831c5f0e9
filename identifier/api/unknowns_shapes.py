"""What the API answers about unknown people, and what it is told of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from identifier.names import LONGEST_NAME
from identifier.unknowns.values import Deleted, Named, Said, UnknownInfo, UnknownPage

_MOST = 2**31 - 1
Number = Annotated[int, Field(ge=1, le=_MOST)]
Name = Annotated[str, Field(min_length=1, max_length=2 * LONGEST_NAME)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NameRequest(_Asked):
    """Whom an unknown is."""

    name: Name = Field(description="A new person's name, or the name or slug of a known one.")


class MergeRequest(_Asked):
    """Which unknown another one is."""

    into: Number = Field(description="The number that stays.")


class IgnoreRequest(_Asked):
    """Whether an unknown is of no interest."""

    ignored: bool = Field(strict=True, description="True leaves them out of lists and events.")


class PersonRequest(_Asked):
    """Whom a sighting shows."""

    person: Name = Field(description="Name or slug of someone in the gallery.")


class WhoShape(BaseModel):
    """A person, in short."""

    slug: str
    name: str

    @classmethod
    def of(cls, slug: str | None, name: str | None) -> Self | None:
        """From a slug and a name; None for nobody."""
        return None if slug is None or name is None else cls(slug=slug, name=name)


class UnknownShape(BaseModel):
    """Someone who was seen and has, or had, no name."""

    number: int = Field(description='As people see it: "Unknown 7".')
    person: WhoShape | None = Field(description="Whom they were named; null while unnamed.")
    ignored: bool
    sightings: int = Field(description="How many.")
    first_at: datetime = Field(description="First seen.")
    last_at: datetime = Field(description="Last seen.")
    cameras: list[str] = Field(description="That have seen them.")
    best: list[str] = Field(description="Ids of the sightings with the clearest crops.")

    @classmethod
    def of(cls, unknown: UnknownInfo) -> Self:
        """From the store's value."""
        return cls(
            number=unknown.number,
            person=WhoShape.of(unknown.slug, unknown.name),
            ignored=unknown.ignored,
            sightings=unknown.sightings,
            first_at=unknown.first_at,
            last_at=unknown.last_at,
            cameras=list(unknown.cameras),
            best=list(unknown.best),
        )


class UnknownsAnswer(BaseModel):
    """Part of the list, newest seen first."""

    unknowns: list[UnknownShape]
    next: str | None = Field(description="`after` of the following part; null at the end.")

    @classmethod
    def of(cls, page: UnknownPage) -> Self:
        """From the store's value."""
        return cls(unknowns=[UnknownShape.of(one) for one in page.unknowns], next=page.next)


class NamedAnswer(BaseModel):
    """What naming came to."""

    number: int
    person: WhoShape
    sightings: int = Field(description="Past sightings that carry the name now.")
    references: list[str] = Field(description="Ids of the reference photos made of crops.")
    refused: list[str] = Field(description="Why other crops could not be used.")

    @classmethod
    def of(cls, named: Named) -> Self:
        """From the store's value."""
        return cls(
            number=named.number,
            person=WhoShape(slug=named.slug, name=named.name),
            sightings=named.sightings,
            references=list(named.references),
            refused=list(named.refused),
        )


class DeletedAnswer(BaseModel):
    """What was removed with an unknown; what Kafka holds expires by its retention."""

    sightings: int
    crops: int
    events: int

    @classmethod
    def of(cls, deleted: Deleted) -> Self:
        """From the store's value."""
        return cls(sightings=deleted.sightings, crops=deleted.crops, events=deleted.events)


class SaidAnswer(BaseModel):
    """Who a sighting shows now."""

    sighting: str
    person: WhoShape | None
    unknown: int | None

    @classmethod
    def of(cls, said: Said) -> Self:
        """From the store's value."""
        person = WhoShape.of(said.slug, said.name)
        return cls(sighting=said.sighting, person=person, unknown=said.unknown)
