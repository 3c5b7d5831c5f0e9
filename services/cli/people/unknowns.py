"""`facestream unknowns list | name | merge | ignore | forget`: whom nobody has named yet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from services.cli.people.answers import Anything, Forgotten, Named, UnknownsPage
from services.cli.people.api import Api
from services.cli.people.settings import Parser, address_flags, load_address
from services.cli.people.since import shown
from services.cli.people.tables import counted, print_json, print_table

_EXAMPLES = """examples:
  facestream unknowns list
  facestream unknowns name 7 "Samantha Jones"     their past sightings get the name too
  facestream unknowns merge 9 7                   Unknown 9 was Unknown 7 all along
  facestream unknowns ignore 12                   the postman: no more events"""


def main(argv: Sequence[str] = ()) -> int:
    """Run one subcommand.

    Raises:
        FacestreamError: the identifier refused, or does not answer.
    """
    options = _parser().parse_args(list(argv))
    with Api(load_address(options)) as api:
        options.run(api, options)
    return 0


def list_unknowns(api: Api, options: argparse.Namespace) -> None:
    """Show who was seen without a name."""
    query = {"named": options.named or None, "ignored": options.ignored or None}
    most = None if options.all else options.limit
    found = list(api.entries("unknowns", UnknownsPage, lambda page: page.unknowns, query, most))
    if options.json:
        print_json(found)
        return
    if not found:
        print("nobody unknown")
        return
    rows = [
        (
            str(unknown.number),
            str(unknown.sightings),
            shown(unknown.first_at),
            shown(unknown.last_at),
            ", ".join(unknown.cameras),
            unknown.remark,
        )
        for unknown in found
    ]
    print_table(("unknown#", "sightings#", "first seen", "last seen", "cameras", ""), rows)


def name(api: Api, options: argparse.Namespace) -> None:
    """Give an unknown a name."""
    body = {"name": options.name}
    named = api.send("POST", f"unknowns/{options.number}/name", Named, body=body)
    print(
        f"Unknown {options.number} is {named.person.name} now, "
        f"in {counted(named.sightings, 'past sighting')} too; "
        f"{counted(len(named.references), 'reference photo')} made of the clearest looks"
    )
    for why in named.refused:
        print(f"a look was not used: {why}", file=sys.stderr)


def merge(api: Api, options: argparse.Namespace) -> None:
    """Make two unknowns one."""
    api.send("POST", f"unknowns/{options.number}/merge", Anything, body={"into": options.into})
    print(f"Unknown {options.number} is Unknown {options.into} now")


def ignore(api: Api, options: argparse.Namespace) -> None:
    """Leave an unknown out of events, or not any more."""
    ignored = not options.undo
    path = f"unknowns/{options.number}/ignore"
    api.send("POST", path, Anything, body={"ignored": ignored})
    print(f"Unknown {options.number} is {'ignored now' if ignored else 'not ignored any more'}")


def forget(api: Api, options: argparse.Namespace) -> None:
    """Remove everything about an unknown."""
    gone = api.send("DELETE", f"unknowns/{options.number}", Forgotten)
    print(
        f"Unknown {options.number} is forgotten: {counted(gone.sightings, 'sighting')}, "
        f"{counted(gone.crops, 'picture')}, {counted(gone.events, 'event')} removed"
    )


def _parser() -> Parser:
    common = address_flags()
    parser = Parser(
        prog="facestream unknowns",
        description="People who were seen and have no name yet.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    one = commands.add_parser("list", parents=[common], help="show them")
    one.add_argument("--limit", metavar="N", type=_number, default=100, help="at most N (100)")
    one.add_argument("--all", action="store_true", help="all of them")
    one.add_argument("--named", action="store_true", help="those who have a name by now, too")
    one.add_argument("--ignored", action="store_true", help="those who are ignored, too")
    one.add_argument("--json", action="store_true", help="as JSON")
    one.set_defaults(run=list_unknowns)

    one = commands.add_parser("name", parents=[common], help="give one a name")
    one.add_argument("number", metavar="NUMBER", type=_number)
    one.add_argument("name", metavar="NAME", help="a new name, or that of someone enrolled")
    one.set_defaults(run=name)

    one = commands.add_parser("merge", parents=[common], help="make two one")
    one.add_argument("number", metavar="NUMBER", type=_number)
    one.add_argument("into", metavar="INTO", type=_number, help="the number that stays")
    one.set_defaults(run=merge)

    one = commands.add_parser("ignore", parents=[common], help="leave one out of events")
    one.add_argument("number", metavar="NUMBER", type=_number)
    one.add_argument("--undo", action="store_true", help="ignore no more")
    one.set_defaults(run=ignore)

    one = commands.add_parser("forget", parents=[common], help="remove every trace of one")
    one.add_argument("number", metavar="NUMBER", type=_number)
    one.set_defaults(run=forget)
    return parser


def _number(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: a number from 1 on")
    return int(text)
