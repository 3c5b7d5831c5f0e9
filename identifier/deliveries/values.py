"""What is delivered, what comes of an attempt, and what a sink is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol

from services.errors import RecordError

PAGE_EVENTS = 100


class EventLog(Protocol):
    """The events, in the order of their ids."""

    def after(self, last_id: int, limit: int) -> Sequence[tuple[int, str]]:
        """The first events above an id: id and payload (JSON), ascending, at most `limit`."""

    def newest_id(self) -> int:
        """The highest id there is; 0 where there is none."""


@dataclass(frozen=True)
class Event:
    """One event: its id and the JSON that is delivered as it is.

    Attributes:
        id: increases from event to event.
        payload: JSON; names people, so it stays out of `repr`.
    """

    id: int
    payload: str = field(repr=False)

    @property
    def key(self) -> str:
        """The same at every attempt, and unlike that of any other event, in any database.

        The id alone would repeat itself where a database is begun anew.
        """
        digest = hashlib.sha256(self.payload.encode()).hexdigest()
        return f"evt_{self.id}_{digest[:16]}"

    @cached_property
    def happening(self) -> Happening:
        """What the payload says of who came or went.

        Raises:
            RecordError: `bad-event` when it does not say it.
        """
        return _read(self.payload)


@dataclass(frozen=True, slots=True)
class Who:
    """A person, or an unknown.

    Attributes:
        slug: of the person; empty for an unknown.
        name: of the person; empty for an unknown.
        unknown: number of the unknown; None for a person.
    """

    slug: str = ""
    name: str = ""
    unknown: int | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """Someone came (`enter`) or went, in a sighting, before a camera."""

    enter: bool
    camera: str
    sighting: str
    who: Who | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """It did not arrive, and may another time.

    Attributes:
        reason: a short kebab-case word.
        after_s: the receiver's own wish, seconds; None where it has none.
    """

    reason: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver will never take it; `reason` is a short kebab-case word."""

    reason: str


Outcome = Delivered | TryAgain | Refused


class Sink(Protocol):
    """Somewhere events go. Its calls come from one thread, none while the lease is elsewhere."""

    @property
    def name(self) -> str:
        """Key of its row in `deliveries`: no secret, the same after every start."""

    @property
    def kind(self) -> Literal["webhook", "mqtt"]:
        """For the metrics."""

    @property
    def shown(self) -> str:
        """For logs and dead letters: no secret."""

    @property
    def retry_s(self) -> float | None:
        """How long one event is tried, seconds; None for ever."""

    def deliver(self, event: Event) -> Outcome:
        """Try once; takes at most a few seconds more than the sink's own timeout."""

    def tend(self) -> Outcome:
        """Called again and again while there is nothing to deliver: stay in touch."""

    def close(self) -> None:
        """Let go of the receiver: the lease is lost, or the process ends."""


def _read(payload: str) -> Happening:
    try:
        found = json.loads(payload)
        person, unknown = found["person"], found["unknown"]
        who = None
        if person is not None:
            who = Who(slug=str(person["slug"]), name=str(person["name"]))
        elif unknown is not None:
            who = Who(unknown=int(unknown))
        return Happening(
            enter=str(found["type"]).endswith("_enter"),
            camera=str(found["camera"]),
            sighting=str(found["sighting"]),
            who=who,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError("bad-event", f"an event without {type(error).__name__}") from None
