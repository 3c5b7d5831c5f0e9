"""Times in requests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from identifier.api.moments import Moment

MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


@pytest.mark.parametrize(
    "text", ["2026-11-01T18:30:00Z", "2026-11-01t19:30:00.000+01:00", "2026-11-01 18:30:00Z"]
)
def test_a_time_with_its_zone_is_that_moment(text: str) -> None:
    assert MOMENT.validate_python(text) == datetime(2026, 11, 1, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ["0.5", "1762021800", 0, 1.5, "2026-11-01", "", "now", None, True]
)
def test_a_number_a_date_or_a_word_is_refused_with_an_example(value: object) -> None:
    with pytest.raises(ValidationError, match="2026-11-01T18:30:00Z"):
        MOMENT.validate_python(value)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        MOMENT.validate_python("2026-11-01T18:30:00")


def test_it_is_described_as_a_time() -> None:
    assert MOMENT.json_schema() == {"type": "string", "format": "date-time"}
