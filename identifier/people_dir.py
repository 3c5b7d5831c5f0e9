"""PEOPLE_DIR: reference photos in a folder, looked at every second, whatever it is mounted from.

`<name>/*.jpg|png` and `<name>.jpg|png`. What appears is enrolled, what disappears is removed.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy.exc import DBAPIError

from identifier.names import name_key
from identifier.people import People
from services.errors import ModelError, RecordError
from services.lifecycle.health import Health

log = structlog.get_logger()

_STOP_WITHIN_S = 1.0
_SUFFIXES = (".jpg", ".jpeg", ".png")
_Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Seen:
    stamp: _Stamp
    sha256: str  # empty when it was refused


class PeopleDir:
    """Keeps the gallery as the folder has it, on a thread of its own.

    Photos that were uploaded stay whatever happens in the folder. A folder that is not there (a
    mount that comes later) removes nobody. Somebody who was renamed, or merged into somebody else,
    keeps the photos of the folder that bears the old name.

    The service is ready (part `people-dir`) once the folder has been read through.

    Args:
        folder: PEOPLE_DIR.
        people: where photos go.
        health: told whether the folder can be read.
        max_bytes: files above are refused without being read.
        poll_s: seconds between two looks.
    """

    def __init__(
        self, folder: Path, people: People, health: Health, *, max_bytes: int, poll_s: float
    ) -> None:
        health.ready("people-dir", ok=False, detail="not read yet")
        self._health = health
        self._folder = folder.absolute()
        self._people = people
        self._max_bytes = max_bytes
        self._poll_s = poll_s
        self._seen: dict[str, _Seen] = {}
        self._settled = False
        self._complaint = ""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="people-dir", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more; a photo in hand is finished, unless its models are still coming."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_WITHIN_S)

    def look(self) -> None:
        """Bring the gallery up to what lies in the folder now.

        Raises:
            OSError: the folder cannot be listed.
            ModelError: the models cannot be had.
            DBAPIError: the database is away.
        """
        present = self._present()
        new = {
            path: stamp
            for path, stamp in present.items()
            if path not in self._seen or self._seen[path].stamp != stamp
        }
        if not new and self._settled and len(present) == len(self._seen):
            return
        self._settled = False
        owners = self._owners()
        for path, stamp in new.items():
            if self._end.is_set():
                return
            self._enrol(path, stamp, owners)
        self._seen = {path: seen for path, seen in self._seen.items() if path in present}
        self._remove_what_is_gone()
        self._settled = True

    def _watch(self) -> None:
        while True:
            try:
                self.look()
            except (OSError, ModelError, DBAPIError) as error:
                self._complain(str(error).split("\n")[0])
            else:
                self._complaint = ""
                self._health.ready("people-dir", ok=True, detail=f"{len(self._seen)} photos")
            if self._end.wait(self._poll_s):
                return

    def _complain(self, why: str) -> None:
        if why != self._complaint:
            log.warning("PEOPLE_DIR cannot be read now", folder=str(self._folder), why=why)
        self._complaint = why
        self._health.ready("people-dir", ok=False, detail=why)

    def _present(self) -> dict[str, _Stamp]:
        """Every photo by its path in the folder, with modification time (ns) and size (bytes)."""
        found: dict[str, _Stamp] = {}
        for entry in sorted(self._folder.iterdir()):
            if entry.name.startswith("."):
                continue
            files = sorted(entry.iterdir()) if entry.is_dir() else [entry]
            for file in files:
                if file.suffix.lower() in _SUFFIXES and not file.name.startswith("."):
                    try:
                        status = file.stat()
                    except FileNotFoundError:
                        continue
                    if file.is_file():
                        path = file.relative_to(self._folder).as_posix()
                        found[path] = (status.st_mtime_ns, status.st_size)
        return found

    def _owners(self) -> dict[str, str]:
        """Slugs of those whom the folder's names mean by now."""
        photos = self._people.store.folder_photos(str(self._folder))
        return {_person_of(photo.path): photo.slug for photo in photos}

    def _enrol(self, path: str, stamp: _Stamp, owners: dict[str, str]) -> None:
        name = Path(path).parent.as_posix() if "/" in path else Path(path).stem
        name = owners.get(_person_of(path), name)
        sha256 = ""
        try:
            data = self._read(path)
            enrolled = self._people.enrol(name, data, folder=str(self._folder), path=path)
        except RecordError as error:
            log.warning("photo not enrolled", photo=path, reason=error.reason, why=str(error))
        except FileNotFoundError:
            return
        else:
            sha256 = enrolled.photo.sha256
            if enrolled.added:
                log.info("photo enrolled", photo=enrolled.photo.id)
            if (like := enrolled.like) is not None:
                log.warning(
                    "the photo looks like somebody else",
                    photo=enrolled.photo.id,
                    similarity=round(like.similarity, 3),
                    threshold=round(like.threshold, 3),
                )
        self._seen[path] = _Seen(stamp, sha256)

    def _read(self, path: str) -> bytes:
        with (self._folder / path).open("rb") as file:
            return file.read(self._max_bytes + 1)  # one too many is refused as too large

    def _remove_what_is_gone(self) -> None:
        kept = {(_person_of(path), seen.sha256) for path, seen in self._seen.items()}
        gone = [
            photo
            for photo in self._people.store.folder_photos(str(self._folder))
            if (_person_of(photo.path), photo.sha256) not in kept
        ]
        if gone:
            self._people.remove_folder_photos([photo.id for photo in gone])
            for photo in gone:
                log.info("photo removed, its file is gone", photo=photo.id)


def _person_of(path: str) -> str:
    """Whom a file of the folder shows, as it was named there."""
    return name_key(Path(path).parent.as_posix() if "/" in path else Path(path).stem)
