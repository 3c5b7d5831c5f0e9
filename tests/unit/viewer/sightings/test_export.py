from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

from tests.unit.viewer.sightings.listed import TEXTS, sighting
from viewer.identifier import Json
from viewer.pages.sightings.export import COLUMNS, csv_parts, file_name, safe
from viewer.pages.sightings.filters import Filters


def rows(*parts: list[Json], most: int = 1_000) -> list[list[str]]:
    data = b"".join(csv_parts(parts, TEXTS, most))
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_taken_for_a_formula(text: str) -> None:
    assert safe(text) == f"'{text}"
    person = {"slug": "x", "name": text}
    found = rows([sighting("2026-11-21T06:00:00+00:00", person=person)])
    assert found[1][COLUMNS.index("person")] == f"'{text}"


def test_numbers_stay_numbers() -> None:
    assert safe(-0.25) == -0.25
    found = rows([sighting("2026-11-21T06:00:00+00:00", slug="a", mean_similarity=-0.25)])
    assert found[1][COLUMNS.index("mean_similarity")] == "-0.25"


def test_the_file_is_as_rfc_4180_has_it() -> None:
    person = {"slug": "o", "name": 'Ó "Neill", M\u00fcller\nJr'}
    data = b"".join(csv_parts([[sighting("2026-11-21T06:00:00+00:00", person=person)]], TEXTS))
    assert data.startswith("\ufeffid,camera,person,".encode())
    assert data.endswith(b"\r\n")
    header, line = rows([sighting("2026-11-21T06:00:00+00:00", 65, person=person)])
    assert tuple(header) == COLUMNS
    assert line[2] == person["name"]
    assert line[COLUMNS.index("started_at")] == "2026-11-21T06:00:00+00:00"
    assert line[COLUMNS.index("seconds")] == "65.0"


def test_it_goes_through_all_parts() -> None:
    one = sighting("2026-11-21T06:00:00+00:00")
    assert len(rows([one, one], [one])) == 4


def test_it_ends_where_it_must_and_says_so() -> None:
    one = sighting("2026-11-21T06:00:00+00:00")
    found = rows([one, one], [one, one], [one], most=3)
    assert len(found) == 5
    assert "only the newest 3 sightings" in found[-1][0]
    assert {len(line) for line in found} == {len(COLUMNS)}
    assert len(rows([one, one], most=2)) == 3


def test_the_name_says_the_period() -> None:
    now = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)
    since = datetime(2026, 11, 14, tzinfo=UTC)
    assert file_name(Filters(since=since), now) == ("sightings-20261114T0000Z-20261121T0730Z.csv")
    assert file_name(Filters(), now) == "sightings-20261121T0730Z.csv"
