"""How the system is doing: charts, services, consumer groups, models, what the doctor says."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, jsonify, render_template

from viewer.access.flask import needs
from viewer.pages.parts import Parts
from viewer.system.system import SystemView

_FIRST_WORD_S = 1.5
_LOOK_WITHIN_S = 8.0


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart.

    Attributes:
        name: its texts are `system.chart_<name>` and `system.chart_<name>_is`.
        unit: how values are written: `rate`, `count`, `ms`, `mb`.
        lines: names of series, each with the key of its label.
    """

    name: str
    unit: str
    lines: tuple[tuple[str, str], ...]


CHARTS = (
    Chart(
        "frames",
        "rate",
        (
            ("frames_producer", "from_cameras"),
            ("frames_worker", "through_workers"),
            ("frames_identifier", "with_names"),
        ),
    ),
    Chart("lag", "count", (("lag_worker", "for_workers"), ("lag_identifier", "for_identifiers"))),
    Chart(
        "delay",
        "ms",
        (
            ("p95_viewer", "to_the_browser"),
            ("p95_identifier", "to_the_name"),
            ("p50_identifier", "to_the_name_median"),
        ),
    ),
    Chart("workers", "count", (("workers", "running"),)),
    Chart("batch", "frames", (("batch_most", "at_most"), ("batch_mean", "mean"))),
    Chart("faces", "rate", (("faces_worker", "faces"),)),
    Chart("drops", "rate", (("drops", "left_out"),)),
    Chart("memory", "mb", (("memory", "memory"),)),
)


def system_pages(parts: Parts, system: SystemView) -> Blueprint:
    """`/system`, and what keeps it up to date.

    Args:
        parts: texts.
        system: what is shown.
    """
    del parts
    routes = Blueprint("system", __name__)

    @routes.get("/system")
    @needs("read")
    def page() -> str:
        found = system.findings()
        if not found["checks"]:
            # Better a moment later than with a hole that is filled while somebody reads.
            found = system.findings(_FIRST_WORD_S)
        return render_template("system.html", system=system.document(), doctor=found, charts=CHARTS)

    @routes.get("/system/now")
    @needs("read")
    def now() -> str:
        return render_template("system_now.html", system=system.document())

    @routes.get("/system/doctor")
    @needs("read")
    def doctor() -> str:
        return render_template("system_doctor.html", doctor=system.findings(_LOOK_WITHIN_S))

    @routes.get("/api/system.json")
    @needs("read")
    def document() -> Response:
        return jsonify(system.document())

    @routes.get("/api/doctor.json")
    @needs("read")
    def findings() -> Response:
        return jsonify(system.findings(_LOOK_WITHIN_S))

    return routes
