"""What `people import` is given: a folder of people, or a CSV of names and paths."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from services.errors import SettingsError

_PICTURES = (".jpg", ".jpeg", ".png")
_REFUSED_LATER = (".heic", ".heif", ".webp", ".avif", ".gif", ".tif", ".tiff", ".bmp")
_HEADING = ("name", "path")


@dataclass(slots=True)
class Someone:
    """A person to enrol.

    Attributes:
        name: as it will be shown.
        photos: files, in order.
        notes: to keep with them; empty for none.
    """

    name: str
    photos: list[Path] = field(default_factory=list)
    notes: str = ""


def read_source(source: Path) -> list[Someone]:
    """Everyone in a folder or a CSV, photos of one name together.

    A folder is laid out like PEOPLE_DIR: `<person>/<photo>` and `<person>.jpg`. Pictures in a
    format that the identifier does not read are kept, so that it can say so. A CSV has the columns
    name, path and, if you like, notes; paths are relative to the CSV's own folder.

    Raises:
        SettingsError: it is neither, or a line of the CSV has no name or no path.
    """
    try:
        rows = _folder(source) if source.is_dir() else _csv(source)
        people: dict[str, Someone] = {}
        for name, photo, notes in rows:
            someone = people.setdefault(name, Someone(name))
            if photo not in someone.photos:
                someone.photos.append(photo)
            someone.notes = notes or someone.notes
    except OSError as error:
        raise SettingsError(f"{source}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{source}: neither a folder nor a CSV in UTF-8 ({error})") from None
    if not people:
        raise SettingsError(f"{source}: no photos in it; see facestream people import --help")
    return list(people.values())


def _folder(folder: Path) -> Iterator[tuple[str, Path, str]]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        for file in sorted(entry.iterdir()) if entry.is_dir() else [entry]:
            wanted = file.suffix.lower() in _PICTURES + _REFUSED_LATER
            if wanted and not file.name.startswith(".") and file.is_file():
                yield entry.name if entry.is_dir() else file.stem, file, ""


def _csv(path: Path) -> Iterator[tuple[str, Path, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if reader.line_num == 1 and tuple(cell.lower() for cell in cells[:2]) == _HEADING:
                continue
            if len(cells) not in (2, 3) or not cells[0] or not cells[1]:
                raise SettingsError(f"{path}:{reader.line_num}: wants name,path or name,path,notes")
            notes = cells[2] if len(cells) > 2 else ""
            yield cells[0], path.parent / cells[1], notes
