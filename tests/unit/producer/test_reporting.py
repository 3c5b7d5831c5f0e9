"""What a producer says of its cameras."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from producer.reporting import Rate, Reported


def test_a_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.at(0, 0) == 0
    for second in range(1, 11):
        assert rate.at(second, 25 * second) == pytest.approx(25)
    for second in range(11, 20):
        last = rate.at(second, 250)
    assert last == 0


def test_a_count_that_begins_anew_is_no_negative_rate() -> None:
    rate = Rate()
    rate.at(0, 100)
    assert rate.at(1, 3) == 0


def test_a_report_shows_no_password() -> None:
    report = Reported(
        name="door",
        state="running",
        kind="rtsp",
        source="rtsp://admin:hush@cam/main?key=hush",
        fps=24.987,
        frames=10,
        drops=0,
        error="",
        since=datetime(2026, 1, 1, tzinfo=UTC),
    )
    document = report.document()
    assert "hush" not in str(document)
    assert (document["source"], document["fps"]) == ("rtsp://***@cam/main?***", 24.99)
    assert document["since"] == "2026-01-01T00:00:00+00:00"
