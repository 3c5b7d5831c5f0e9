"""What an import has done, one JSON line per photo, so that the next run need not send it again."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError

from services.errors import SettingsError


class Line(BaseModel):
    """A photo the identifier has.

    Attributes:
        name: the person's, as the source has it.
        slug: the person's, as the identifier has it.
        path: of the file.
        size: of the file, bytes.
        mtime_ns: when the file was changed last.
        notes: what was noted of the person.
    """

    name: str
    slug: str
    path: str
    size: int
    mtime_ns: int
    notes: str = ""


def forget(folder: Path, slug: str) -> None:
    """Take a person out of every journal.

    Args:
        folder: where journals are kept.
        slug: the person's.

    Raises:
        SettingsError: a journal cannot be changed.
    """
    for path in sorted(folder.glob("*.jsonl")):
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            kept = [line for line in lines if slug not in _slugs(line)]
            if len(kept) < len(lines):
                new = path.with_suffix(".new")
                new.write_text("".join(kept), encoding="utf-8")
                new.replace(path)
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}") from None


def _slugs(line: str) -> tuple[str, ...]:
    try:
        return (Line.model_validate_json(line).slug,)
    except ValidationError:
        return ()


class Journal:
    """The lines of one source on one identifier; safe for several threads.

    Lines that cannot be read (the last one after a crash) are passed over: their photos are sent
    again, which does no harm.

    Args:
        path: of the file; made with its folder when the first line is written.

    Raises:
        SettingsError: there is a file that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._lines: dict[tuple[str, str], Line] = {}
        try:
            text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}") from None
        for line in text.splitlines():
            try:
                self._keep(Line.model_validate_json(line))
            except ValidationError:
                continue

    @classmethod
    def of(cls, folder: Path, url: str, source: Path) -> Self:
        """The journal of importing a source into an identifier.

        Args:
            folder: where journals are kept.
            url: of the identifier.
            source: the folder or CSV.
        """
        digest = hashlib.sha256(f"{url}\n{source.absolute()}".encode()).hexdigest()[:16]
        return cls(folder / f"{digest}.jsonl")

    def __len__(self) -> int:
        return len(self._lines)

    def find(self, name: str, path: Path) -> Line | None:
        """What is written of a photo, as long as the file is still the same one."""
        line = self._lines.get((name, str(path.absolute())))
        if line is None:
            return None
        try:
            status = path.stat()
        except OSError:
            return None
        same = (status.st_size, status.st_mtime_ns) == (line.size, line.mtime_ns)
        return line if same else None

    def photos(self) -> Counter[str]:
        """How many photos of each slug the identifier was given."""
        return Counter(line.slug for line in self._lines.values())

    def write(self, line: Line) -> None:
        """Add a line.

        Raises:
            SettingsError: the disk does not take it.
        """
        with self._lock:
            self._keep(line)
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(line.model_dump_json() + "\n")
            except OSError as error:
                raise SettingsError(f"{self._path}: {error.strerror}") from None

    def _keep(self, line: Line) -> None:
        self._lines[line.name, line.path] = line
