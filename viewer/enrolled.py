"""Asks the identifier, every second, who is enrolled: people appear before they are first seen."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable, Sequence

import structlog
from pydantic import BaseModel

from services.lifecycle.stopping import StopSignal
from viewer.board import Board, Key
from viewer.pictures import printable

log = structlog.get_logger()

People = Sequence[tuple[str, str]]

_EVERY_S = 1.0
_TIMEOUT_S = 3.0
_MOST_BYTES = 32 * 1024 * 1024


class Enrolled:
    """Keeps the board's list of people that of the identifier; a thread of its own.

    While the identifier does not answer, the last list stands.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        board: Board,
        changed: Callable[[Sequence[Key]], None],
        stop: StopSignal,
    ) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        # The scheme is checked by the settings.
        self._request = urllib.request.Request(  # noqa: S310
            f"{url.rstrip('/')}/api/v1/people", headers=headers
        )
        self._board = board
        self._changed = changed
        self._stop = stop
        self._answering = True
        self._thread = threading.Thread(target=self._run, name="enrolled", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.stopped:
            try:
                people = self._ask()
            except (OSError, ValueError) as error:
                if self._answering:
                    log.warning(
                        "identifier does not answer", url=self._request.full_url, error=str(error)
                    )
                self._answering = False
            else:
                self._answering = True
                self._changed(self._board.enrol(people))
            self._stop.wait(_EVERY_S)

    def _ask(self) -> People:
        with urllib.request.urlopen(self._request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return people_of(answer.read(_MOST_BYTES))


class _Person(BaseModel):
    slug: str
    name: str


class _Answer(BaseModel):
    people: list[_Person]


def people_of(body: bytes) -> People:
    """Read the identifier's answer: `{"people": [{"slug": …, "name": …}, …]}`.

    Raises:
        ValueError: it is anything else.
    """
    answer = _Answer.model_validate_json(body)
    return [(person.slug, printable(person.name)) for person in answer.people]
