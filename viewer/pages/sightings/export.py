"""Sightings as CSV: as RFC 4180 has it, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime

from viewer.identifier import Json
from viewer.pages.sightings.filters import Filters
from viewer.texts import Texts

MOST_ROWS = 1_000_000
COLUMNS = (
    "id",
    "camera",
    "person",
    "person_slug",
    "unknown",
    "started_at",
    "last_at",
    "seconds",
    "ended",
    "frames",
    "best_similarity",
    "mean_similarity",
    "threshold",
    "quality",
    "found_by",
    "session",
)
# Spreadsheets take UTF-8 for something else without it.
_BYTE_ORDER_MARK = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Cell = str | int | float | bool | None


def safe(cell: Cell) -> Cell:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers.

    Source: OWASP, CSV Injection.
    """
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return cell


def row_of(sighting: Json) -> list[Cell]:
    """The cells of one sighting; times UTC."""
    person = sighting["person"] or {"slug": None, "name": None}
    began = datetime.fromisoformat(sighting["started_at"])
    last = datetime.fromisoformat(sighting["last_at"])
    cells: list[Cell] = [
        sighting["id"],
        sighting["camera"],
        person["name"],
        person["slug"],
        sighting["unknown"],
        sighting["started_at"],
        sighting["last_at"],
        round((last - began).total_seconds(), 3),
        "true" if sighting["ended"] else "false",
        sighting["frames"],
        sighting["best_similarity"],
        sighting["mean_similarity"],
        sighting["threshold"],
        sighting["quality"],
        sighting["found_by"],
        sighting["session"],
    ]
    return [safe(cell) for cell in cells]


def csv_parts(parts: Iterable[list[Json]], t: Texts, most: int = MOST_ROWS) -> Iterator[bytes]:
    """The file, piece by piece, UTF-8.

    Args:
        parts: sightings of the identifier.
        t: for the last row.
        most: rows after which it ends, saying so in the last one.
    """
    yield (_BYTE_ORDER_MARK + _lines([COLUMNS])).encode()
    left = most
    for part in parts:
        yield _lines(row_of(sighting) for sighting in part[:left]).encode()
        left -= len(part)
        if left < 0:
            said = t("sightings.export_cut", n=most)
            yield _lines([[said, *[None] * (len(COLUMNS) - 1)]]).encode()
            return


def file_name(filters: Filters, now: datetime) -> str:
    """A name that says which time it is about, UTC."""
    until = now if filters.until is None else filters.until
    since = "" if filters.since is None else f"{filters.since:%Y%m%dT%H%MZ}-"
    return f"sightings-{since}{until:%Y%m%dT%H%MZ}.csv"


def _lines(rows: Iterable[Iterable[Cell]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
