"""`facestream sightings`: who was where and when."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from services.cli.people.answers import Anything, Sighting, SightingsPage
from services.cli.people.api import Api, part
from services.cli.people.naming import find_person
from services.cli.people.settings import Parser, address_flags, load_address
from services.cli.people.since import moment, rfc3339, shown
from services.cli.people.tables import print_json, print_table

_COLUMNS = ("id", "who", "slug", "unknown", "camera", "from", "to", "frames", "similarity",
            "found_by")  # fmt: skip

_ANY = 0

_EXAMPLES = """examples:
  facestream sightings                               the newest 50
  facestream sightings --person sam --since 7d       where Sam was in the last week
  facestream sightings --camera door --unknown --since 12h
  facestream sightings --unknown 7                   where Unknown 7 was
  facestream sightings --since 30d --all --csv > sightings.csv
  facestream sightings --not-this-person ID          "that was not Sam", and never will be

`facestream explain ID` says why a sighting has its name."""


def main(argv: Sequence[str] = ()) -> int:
    """Show sightings, newest first.

    Raises:
        FacestreamError: the identifier refused, or does not answer.
    """
    options = _parser().parse_args(list(argv))
    with Api(load_address(options)) as api:
        if options.not_this_person:
            path = f"sightings/{part(options.not_this_person)}/not-this-person"
            api.send("POST", path, Anything)
            print(f"remembered: {options.not_this_person} is somebody else")
            return 0
        if options.this_is:
            sighting, name = options.this_is
            api.send("POST", f"sightings/{part(sighting)}/person", Anything, body={"person": name})
            print(f"remembered: {sighting} is {name}")
            return 0
        _show(_found(api, options), options)
    return 0


def _found(api: Api, options: argparse.Namespace) -> Iterable[Sighting]:
    now = datetime.now(UTC)
    person = None if options.person is None else find_person(api, options.person).slug
    query = {
        "person": person,
        "camera": options.camera,
        "since": None if options.since is None else rfc3339(moment(options.since, now)),
        "until": None if options.until is None else rfc3339(moment(options.until, now)),
        "unknown": options.unknown or None,
        "named": False if options.unknown == _ANY else None,
        "min_score": options.min_score,
    }
    most = None if options.all else options.limit
    return api.entries("sightings", SightingsPage, lambda page: page.sightings, query, most)


def _show(found: Iterable[Sighting], options: argparse.Namespace) -> None:
    if options.json:
        print_json(list(found))
    elif options.csv:
        rows = csv.writer(sys.stdout)
        rows.writerow(_COLUMNS)
        rows.writerows(_row(each) for each in found)
    else:
        table = [
            (
                shown(each.started_at),
                f"{(each.last_at - each.started_at).total_seconds():.0f}"
                + ("" if each.ended else " and on"),
                each.who,
                each.camera,
                "" if each.best_similarity is None else f"{each.best_similarity:.2f}",
                each.found_by,
                each.id,
            )
            for each in found
        ]
        if not table:
            print("no sighting")
            return
        print_table(("from", "seconds#", "who", "camera", "similarity#", "by", "id"), table)


def _row(each: Sighting) -> tuple[object, ...]:
    return (
        each.id,
        each.who,
        "" if each.person is None else each.person.slug,
        "" if each.unknown is None else each.unknown,
        each.camera,
        rfc3339(each.started_at),
        rfc3339(each.last_at),
        each.frames,
        "" if each.best_similarity is None else round(each.best_similarity, 4),
        each.found_by,
    )


def _parser() -> Parser:
    parser = Parser(
        prog="facestream sightings",
        description="Show who was where and when, newest first.",
        epilog=_EXAMPLES,
        parents=[address_flags()],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--person", metavar="NAME", help="only this person: name or slug")
    parser.add_argument(
        "--unknown",
        metavar="NUMBER",
        nargs="?",
        type=_count,
        const=_ANY,
        help="only people without a name, or only this one",
    )
    parser.add_argument("--camera", metavar="CAMERA", help="only this camera")
    parser.add_argument("--since", metavar="TIME", help="from then on: 12h, 30d, 2026-11-01T18:30")
    parser.add_argument("--until", metavar="TIME", help="up to then")
    parser.add_argument("--min-score", metavar="X", type=float, help="lowest best similarity")
    parser.add_argument("--limit", metavar="N", type=_count, default=50, help="at most N (50)")
    parser.add_argument("--all", action="store_true", help="all of them, however many")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="as JSON, with all there is")
    shape.add_argument("--csv", action="store_true", help="as CSV, times in UTC")
    parser.add_argument("--not-this-person", metavar="ID", help="take the name off a sighting")
    parser.add_argument(
        "--this-is", metavar=("ID", "NAME"), nargs=2, help="give a sighting to someone enrolled"
    )
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: a number from 1 on")
    return int(text)
