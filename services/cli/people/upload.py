"""Sending the photos of an import: several people at once, each one's photos in order."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from services.cli.people.answers import Anything, Enrolled, Person
from services.cli.people.api import Api, RefusedError, part
from services.cli.people.journal import Journal, Line
from services.cli.people.sources import Someone

_MOST_BYTES = 268_435_456


@dataclass(frozen=True, slots=True)
class Refusal:
    """A photo that was not taken.

    Attributes:
        name: of the person.
        path: of the file.
        reason: one kebab-case word.
        detail: a sentence.
    """

    name: str
    path: Path
    reason: str
    detail: str


@dataclass(slots=True)
class Tally:
    """What an import came to; photos.

    Attributes:
        added: new to the identifier.
        known: which the identifier had.
        skipped: which the journal had, so they were not sent.
        refused: with the reasons.
        warnings: what the identifier remarked on photos it took.
    """

    added: int = 0
    known: int = 0
    skipped: int = 0
    refused: list[Refusal] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def seen(self) -> int:
        """Photos dealt with."""
        return self.added + self.known + self.skipped + len(self.refused)


class Upload:
    """Sends people's photos and tallies what became of them.

    Args:
        api: with as many connections as `jobs`.
        journal: what was done before, and is now.
        present: how many photos the identifier has of each slug. The journal is believed only of
            those who have at least as many as it says: anyone removed since is sent again.
        force: take poor photos too.
    """

    def __init__(
        self, api: Api, journal: Journal, present: Mapping[str, int], *, force: bool
    ) -> None:
        self._api = api
        self._journal = journal
        self._force = force
        self._believed = {
            slug for slug, photos in journal.photos().items() if present.get(slug, 0) >= photos
        }
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.tally = Tally()

    def run(self, people: Sequence[Someone], jobs: int, progress: Callable[[Tally], None]) -> None:
        """Send everyone; returns when all are through.

        Args:
            people: whom.
            jobs: people at the same time.
            progress: called whenever someone is through.

        Raises:
            UnreachableError: the identifier does not answer any more; photos under way are
                finished, and the journal has what was done.
        """
        waiting = iter(people)
        running: set[Future[None]] = set()
        with ThreadPoolExecutor(jobs, thread_name_prefix="import") as threads:
            try:
                while True:
                    for someone in islice(waiting, max(0, 2 * jobs - len(running))):
                        running.add(threads.submit(self._send, someone))
                    if not running:
                        return
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for each in done:
                        each.result()
                    progress(self.tally)
            except BaseException:
                self._stop.set()
                threads.shutdown(cancel_futures=True)
                raise

    def _send(self, someone: Someone) -> None:
        noted = ""
        for photo in someone.photos:
            if self._stop.is_set():
                return
            line = self._journal.find(someone.name, photo)
            if line is not None and line.slug in self._believed:
                noted = line.notes
                with self._lock:
                    self.tally.skipped += 1
                continue
            person = self._photo(someone, photo)
            if person is not None and someone.notes not in ("", person.notes, noted):
                self._note(person, someone.notes)
                noted = someone.notes

    def _photo(self, someone: Someone, photo: Path) -> Person | None:
        """Send one photo; None when it was refused."""
        try:
            status, data = _read(photo)
            enrolled = self._api.send(
                "POST",
                f"people/{part(someone.name)}/faces",
                Enrolled,
                file=(photo.name, data),
                query={"backfill": False} | ({"force": True} if self._force else {}),
            )
        except RefusedError as error:
            refusal = Refusal(someone.name, photo, error.reason, str(error))
            with self._lock:
                self.tally.refused.append(refusal)
            return None
        self._journal.write(
            Line(
                name=someone.name,
                slug=enrolled.person.slug,
                path=str(photo.absolute()),
                size=status.st_size,
                mtime_ns=status.st_mtime_ns,
                notes=someone.notes,
            )
        )
        with self._lock:
            self.tally.added += enrolled.added
            self.tally.known += not enrolled.added
            if enrolled.remark:
                self.tally.warnings.append(f"{photo}: {enrolled.remark}")
        return enrolled.person

    def _note(self, person: Person, notes: str) -> None:
        try:
            self._api.send("PATCH", f"people/{part(person.slug)}", Anything, body={"notes": notes})
        except RefusedError as error:
            with self._lock:
                self.tally.warnings.append(f"{person.name}: notes not kept: {error}")


def _read(photo: Path) -> tuple[os.stat_result, bytes]:
    """What the file is, and what is in it.

    Raises:
        RefusedError: it cannot be read, or is no photo by its size.
    """
    try:
        status = photo.stat()
        if status.st_size <= _MOST_BYTES:
            return status, photo.read_bytes()
    except OSError as error:
        raise RefusedError(0, "no-file", error.strerror or "cannot be read") from None
    raise RefusedError(0, "too-large", f"{status.st_size} bytes: that is no photo")
