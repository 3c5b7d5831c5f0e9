"""`facestream people`: the gallery of people, from the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from services.cli.people import gallery
from services.cli.people.api import Api
from services.cli.people.backfill import backfill, cancel
from services.cli.people.erase import erase
from services.cli.people.importing import add_import
from services.cli.people.settings import Commands, Parser, address_flags, load_address
from services.errors import SettingsError

_EXAMPLES = """examples:
  facestream people add Sam sam.jpg sam-with-hat.jpg
  facestream people list --search sam
  facestream people import staff.csv
  facestream people rename Sam "Samantha Jones"
  facestream people threshold "Samantha Jones" 0.4
  facestream people backfill "Samantha Jones" --since 30d
  facestream people erase "Samantha Jones"

NAME is a name or a slug; with spaces, put it in quotes. The identifier has to run: `facestream up`
starts one. IDENTIFIER_URL says where it is, IDENTIFIER_TOKEN what its API_TOKEN is."""

_Run = Callable[[Api, argparse.Namespace], int]


def main(argv: Sequence[str] = ()) -> int:
    """Run one subcommand; 1 when the identifier refused a photo.

    Raises:
        FacestreamError: the identifier refused, or does not answer.
    """
    options = _parser().parse_args(list(argv))
    status: int = options.run(options)
    return status


def _parser() -> Parser:
    common = address_flags()
    parser = Parser(
        prog="facestream people",
        description="Enrol people and look after them, in a running identifier.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    one = _subcommand(commands, common, "add", gallery.add, "enrol photos of one person")
    _name(one)
    one.add_argument("photo", metavar="PHOTO", type=Path, nargs="+", help="JPEG or PNG, one face")
    one.add_argument("--force", action="store_true", help="take a small or unclear face too")

    one = _subcommand(commands, common, "list", gallery.list_people, "show everyone")
    one.add_argument("--search", metavar="TEXT", help="only names with this text in them")
    one.add_argument("--limit", metavar="N", type=_count, help="at most so many")
    one.add_argument("--json", action="store_true", help="as JSON")

    one = _subcommand(commands, common, "show", gallery.show, "show one person and their photos")
    _name(one)
    one.add_argument("--json", action="store_true", help="as JSON")

    one = _subcommand(commands, common, "rename", gallery.rename, "change a name; the slug stays")
    _name(one)
    one.add_argument("new_name", metavar="NEW_NAME")

    one = _subcommand(commands, common, "merge", gallery.merge, "make two people one")
    _name(one)
    one.add_argument("into", metavar="INTO", help="who stays")

    one = _subcommand(
        commands, common, "threshold", gallery.threshold, "from which similarity to name a person"
    )
    _name(one)
    one.add_argument("value", metavar="VALUE", help="cosine, -1 to 1, or the word default")

    one = _subcommand(commands, common, "notes", gallery.notes, "keep a text with a person")
    _name(one)
    one.add_argument("text", metavar="TEXT", help='the text; "" removes it')

    one = _subcommand(
        commands, common, "remove", gallery.remove, "remove a person, or one of their photos"
    )
    _name(one)
    one.add_argument("--photo", metavar="ID", help="only this photo; `show` lists the ids")

    one = _subcommand(
        commands, common, "erase", erase, "remove every trace of a person, and prove it"
    )
    _name(one)
    one.add_argument("--yes", action="store_true", help="do not ask")
    one.add_argument("--json", action="store_true", help="print the proof as JSON")

    add_import(commands, common)

    one = _subcommand(commands, common, "backfill", _backfill, "find a person in the past")
    one.add_argument("name", metavar="NAME", nargs="?")
    one.add_argument("--since", metavar="TIME", default="7d", help="30d, 12h, 2026-11-01 (7d)")
    one.add_argument("--no-wait", action="store_true", help="start the search and leave it to run")
    one.add_argument("--cancel", metavar="ID", help="end a search")
    return parser


def _subcommand(
    commands: Commands, common: Parser, name: str, run: _Run, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, parents=[common], help=text, description=f"{text.capitalize()}."
    )

    def asking(options: argparse.Namespace) -> int:
        with Api(load_address(options)) as api:
            return run(api, options)

    parser.set_defaults(run=asking)
    return parser


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="name or slug")


def _backfill(api: Api, options: argparse.Namespace) -> int:
    if (options.name is None) == (options.cancel is None):
        raise SettingsError("whom to look for? facestream people backfill NAME --since 30d")
    return cancel(api, options.cancel) if options.cancel else backfill(api, options)


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: a number from 1 on")
    return int(text)
