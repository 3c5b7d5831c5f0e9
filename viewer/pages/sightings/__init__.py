"""Who was where and when: a timeline, lanes, figures, a file, and each sighting by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain

from flask import Blueprint, Response, abort, render_template, request

from viewer.access.flask import needs
from viewer.pages.parts import Parts
from viewer.pages.sightings import figures
from viewer.pages.sightings.asking import asked_filters, known_cameras, known_people
from viewer.pages.sightings.export import csv_parts, file_name
from viewer.pages.sightings.filters import EVERYBODY, PERIODS, Filters, utc_now
from viewer.pages.sightings.lanes import MOST_LANES, MOST_SIGHTINGS, lanes_of, ticks
from viewer.pages.sightings.one import sighting_routes
from viewer.pages.sightings.pictures import picture_routes
from viewer.pages.sightings.reading import TooManyCounts, counts, newest, parts_of
from viewer.pages.sightings.timeline import by_day, day_title, line_of, short_moment

LIST, LANES, FIGURES = "list", "lanes", "figures"
VIEWS = (LIST, LANES, FIGURES)
_LINES = 60
_LONGEST_MARK = 200
_LANES_PERIOD = timedelta(days=1)
_FIGURES_PERIOD = timedelta(days=7)
_LONGEST_FIGURES = timedelta(days=366)
_EXPORTS_AT_ONCE = 2

Facts = dict[str, object]


def sightings_pages(parts: Parts) -> Blueprint:
    """`/sightings` with its views, `/sightings.csv`, and the pages and pictures below."""
    routes = Blueprint("sightings", __name__)
    routes.register_blueprint(picture_routes(parts))
    routes.register_blueprint(sighting_routes(parts))
    exports = threading.BoundedSemaphore(_EXPORTS_AT_ONCE)
    t = parts.texts
    views: dict[str, Callable[[Parts, Filters, datetime], Facts]] = {
        LIST: _list,
        LANES: _lanes,
        FIGURES: _figures,
    }

    @routes.get("/sightings")
    @needs("read")
    def sightings() -> str:
        filters, now = asked_filters(parts), utc_now()
        view = request.args.get("view", LIST)
        view = view if view in VIEWS else LIST
        facts: Facts = {}
        if not filters.wrong:
            facts = views[view](parts, filters, now)
        cameras = facts.get("cameras_seen")
        return render_template(
            "sightings.html",
            filters=filters,
            view=view,
            views=VIEWS,
            periods=PERIODS,
            everybody=EVERYBODY,
            people=known_people(parts),
            cameras=known_cameras(parts, cameras if isinstance(cameras, list) else ()),
            by=_by(),
            one_minute_after=lambda moment: moment + timedelta(minutes=1),
            **facts,
        )

    @routes.get("/sightings.csv")
    @needs("read")
    def export() -> Response:
        filters, now = asked_filters(parts), utc_now()
        if filters.wrong:
            abort(422, t("sightings.wrong", what=", ".join(filters.wrong)))
        if not exports.acquire(blocking=False):
            abort(429, t("sightings.export_busy"))
        try:
            # The first part is there before the answer begins, so that a refusal is an answer.
            until = now if filters.until is None else filters.until
            found = parts_of(parts.identifier, replace(filters, until=until))
            first = next(found)
        except BaseException:
            exports.release()
            raise
        lines = csv_parts(chain([first], found), t)
        answer = Response(lines, content_type="text/csv; charset=utf-8")
        answer.call_on_close(exports.release)
        name = file_name(filters, now)
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    return routes


def _list(parts: Parts, filters: Filters, now: datetime) -> Facts:
    t, zone = parts.texts, filters.zone
    after = request.args.get("after", "")[:_LONGEST_MARK]
    found = parts.identifier.get("/sightings", **filters.params(), limit=_LINES, after=after)
    lines = [line_of(each, zone, t) for each in found["sightings"]]
    return {
        "days": by_day(lines, now.astimezone(zone).date(), t),
        "older": filters.address(after=found["next"]) if found["next"] else None,
        "after": after,
        "cameras_seen": [line.camera for line in lines],
        "query": filters.address(""),
    }


def _lanes(parts: Parts, filters: Filters, now: datetime) -> Facts:
    t, zone = parts.texts, filters.zone
    span = filters.within(_LANES_PERIOD, now)
    since, until = _ends(span)
    found = newest(parts.identifier, span, MOST_SIGHTINGS)
    lanes = lanes_of(found.sightings, since, until, zone, t, by_person=_by() == "person")
    shown_from = None
    if not found.whole and found.sightings:
        shown_from = datetime.fromisoformat(found.sightings[-1]["started_at"])
    return {
        "lanes": lanes[:MOST_LANES],
        "more_lanes": max(0, len(lanes) - MOST_LANES),
        "ticks": ticks(since, until, zone, t),
        "hidden_share": 0
        if shown_from is None or shown_from <= since
        else round(100 * ((shown_from - since) / (until - since)), 1),
        "shown_from": None if shown_from is None else short_moment(shown_from.astimezone(zone), t),
        "shown_count": len(found.sightings),
        "span": _span_text(since, until, filters, now, parts),
        "cameras_seen": [lane.title for lane in lanes] if _by() == "camera" else [],
        "span_filters": span,
    }


def _figures(parts: Parts, filters: Filters, now: datetime) -> Facts:
    t, zone = parts.texts, filters.zone
    span = filters.within(_FIGURES_PERIOD, now)
    since, until = _ends(span)
    problem = t("sightings.too_long") if until - since > _LONGEST_FIGURES else None
    found: list[figures.Count] = []
    whole = True
    if problem is None and (filters.unknown is not None or filters.similarity is not None):
        listed = newest(parts.identifier, span, MOST_SIGHTINGS)
        found, whole = figures.count_up(listed.sightings, since), listed.whole
    elif problem is None:
        try:
            found = figures.read_counts(counts(parts.identifier, span))
        except TooManyCounts:
            problem = t("sightings.too_many_counts")
    return {
        "problem": problem,
        "whole": whole,
        "most_counted": MOST_SIGHTINGS,
        "total": sum(count.sightings for count in found),
        "heat": None if problem else figures.heat_map(found, since, until, zone, t),
        "by_person": figures.totals_by_person(found, t),
        "by_camera": figures.totals_by_camera(found, t),
        "span": _span_text(since, until, filters, now, parts),
        "span_filters": span,
    }


def _ends(span: Filters) -> tuple[datetime, datetime]:
    if span.since is None or span.until is None:
        raise ValueError("a view of a period needs its beginning and its end")
    return span.since, span.until


def _span_text(
    since: datetime, until: datetime, filters: Filters, now: datetime, parts: Parts
) -> str:
    t, zone = parts.texts, filters.zone
    today = now.astimezone(zone).date()
    ends = (since.astimezone(zone), until.astimezone(zone))
    start, end = (f"{day_title(at.date(), today, t)} {at:%H:%M}" for at in ends)
    return t("sightings.span", start=start, end=end)


def _by() -> str:
    return "person" if request.args.get("by") == "person" else "camera"
