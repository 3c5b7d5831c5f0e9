"""What is a status report, and what is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from services.errors import RecordError
from services.status.report import MOST_BYTES, Numbers, StatusReport, parse_report

REPORT = StatusReport(
    service="worker",
    instance="box-1",
    version="0.1.0",
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    at=datetime(2026, 1, 1, 0, 5, tzinfo=UTC),
    every_s=2,
    numbers=Numbers(interval_s=2),
)


def with_field(name: str, value: object) -> bytes:
    return json.dumps(json.loads(REPORT.to_json()) | {name: value}).encode()


def test_a_report_survives_the_way() -> None:
    assert parse_report(REPORT.to_json()) == REPORT
    assert REPORT.key == "worker/box-1"


def test_what_a_later_version_adds_is_left_aside() -> None:
    assert parse_report(with_field("mood", "fine")) == REPORT


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{}",
        b"[" * 5_000,
        b"\xff\xfe",
        b" " * (MOST_BYTES + 1),
        with_field("service", "../../etc"),
        with_field("service", "Worker"),
        with_field("instance", "x" * 201),
        with_field("at", "2026-01-01T00:00:00"),
        with_field("every_s", 0),
        with_field("numbers", {"interval_s": 2, "frames_in_per_s": -1}),
        with_field("numbers", {"interval_s": 2, "frames_in_per_s": 1e300}),
        with_field("numbers", {"interval_s": 2, "cameras": [{"camera": "x"}] * 65}),
        with_field("about", {str(n): "x" for n in range(33)}),
    ],
)
def test_anything_else_is_refused(value: bytes | None) -> None:
    with pytest.raises(RecordError, match=r".") as refused:
        parse_report(value)
    assert refused.value.reason == "not-a-report"
    assert len(str(refused.value)) < 300
