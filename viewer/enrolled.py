"""Asks the identifier, every second, who is enrolled: people appear before they are first seen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import structlog
from pydantic import BaseModel, ValidationError

from services.lifecycle.stopping import StopSignal
from viewer.board import Board, Key
from viewer.identifier import Identifier, IdentifierAway, IdentifierProblem, Json
from viewer.pictures import printable

log = structlog.get_logger()

_EVERY_S = 1.0
_AT_ONCE = 500


class Enrolled:
    """Keeps the board's list of people that of the identifier; a thread of its own.

    While the identifier does not answer, the last list stands.
    """

    def __init__(
        self,
        identifier: Identifier,
        board: Board,
        changed: Callable[[Sequence[Key]], None],
        stop: StopSignal,
    ) -> None:
        self._identifier = identifier
        self._board = board
        self._changed = changed
        self._stop = stop
        self._version: str | None = None
        self._answering = True
        self._thread = threading.Thread(target=self._run, name="enrolled", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.stopped:
            try:
                self._look()
            except (IdentifierAway, IdentifierProblem, ValidationError) as error:
                if self._answering:
                    log.warning(
                        "the list of people cannot be had",
                        identifier=self._identifier.url,
                        error=str(error).splitlines()[0],
                    )
                self._answering = False
            else:
                self._answering = True
            self._stop.wait(_EVERY_S)

    def _look(self) -> None:
        version = str(self._identifier.get("/health").get("gallery_version"))
        if version == self._version:
            return
        people: list[tuple[str, str]] = []
        after: str | None = None
        while not self._stop.stopped:
            found, after = people_of(self._identifier.get("/people", limit=_AT_ONCE, after=after))
            people += found
            if after is None:
                self._changed(self._board.enrol(people))
                self._version = version
                return


class _Person(BaseModel):
    slug: str
    name: str


class _Answer(BaseModel):
    people: list[_Person]
    next: str | None = None


def people_of(document: Json) -> tuple[list[tuple[str, str]], str | None]:
    """Read a part of the list: who is in it, as (slug, name), and where the next part begins.

    Raises:
        ValidationError: it is anything else.
    """
    answer = _Answer.model_validate(document)
    return [(person.slug, printable(person.name)) for person in answer.people], answer.next
