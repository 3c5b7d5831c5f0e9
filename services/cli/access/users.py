"""`facestream users`: who may log in to the page, and as what."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from services.access import Role, hash_password
from services.cli.access.answers import User, Users
from services.cli.access.passwords import new_password
from services.cli.people.api import Api, part
from services.cli.people.settings import Commands, Parser, address_flags, load_address
from services.cli.people.since import shown
from services.cli.people.tables import print_json, print_table

_EXAMPLES = """examples:
  facestream users add Ann --role admin            asks for the password
  facestream users add Bob --password-file bob.txt
  facestream users role Bob operator
  facestream users list
  facestream users hash                            for VIEWER_PASSWORD_HASH

roles: a viewer watches; an operator also teaches who is who and looks after cameras; an admin also
erases people and looks after users. VIEWER_USERS=true lets them log in. A change of password or
role, and removing, end a user's sessions within seconds. The identifier has to run (not for
`hash`): IDENTIFIER_URL says where it is, IDENTIFIER_TOKEN what its API_TOKEN is."""

_ROLES = get_args(Role)


def main(argv: Sequence[str] = ()) -> int:
    """Run one subcommand.

    Raises:
        FacestreamError: the identifier refused, or does not answer.
    """
    options = _parser().parse_args(list(argv))
    options.run(options)
    return 0


def add(api: Api, options: argparse.Namespace) -> None:
    """Let somebody log in."""
    body = {
        "name": options.name,
        "password": new_password(options.password_file),
        "role": options.role,
    }
    user = api.send("POST", "users", User, body=body)
    print(f"{user.name} may log in as {user.role}")


def list_users(api: Api, options: argparse.Namespace) -> None:
    """Show everyone who may log in."""
    users = api.get("users", Users).users
    if options.json:
        print_json(users)
    elif not users:
        print("nobody; the first one: facestream users add NAME --role admin")
    else:
        rows = [
            (
                user.name,
                user.role,
                "may not log in" if user.disabled else "",
                shown(user.created_at),
            )
            for user in users
        ]
        print_table(("name", "role", "", "since"), rows)


def role(api: Api, options: argparse.Namespace) -> None:
    """Give a user another role."""
    user = _change(api, options.name, {"role": options.role})
    print(f"{user.name} is {user.role} now")


def password(api: Api, options: argparse.Namespace) -> None:
    """Give a user a new password."""
    user = _change(api, options.name, {"password": new_password(options.password_file)})
    print(f"{user.name} has a new password")


def disable(api: Api, options: argparse.Namespace) -> None:
    """Keep a user out, or let them in again."""
    user = _change(api, options.name, {"disabled": not options.undo})
    print(f"{user.name} {'may not log in' if user.disabled else 'may log in'} now")


def remove(api: Api, options: argparse.Namespace) -> None:
    """Take a user away."""
    api.delete(f"users/{part(options.name)}")
    print(f"{options.name} is removed")


def make_hash(options: argparse.Namespace) -> None:
    """Print the hash of a password."""
    print(hash_password(new_password(options.password_file)))


def _change(api: Api, name: str, change: dict[str, str | float | bool | None]) -> User:
    return api.send("PATCH", f"users/{part(name)}", User, body=change)


def _parser() -> Parser:
    common = address_flags()
    parser = Parser(
        prog="facestream users",
        description="Who may log in to the page, and as what.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    one = _asking(commands, common, "add", add, "let somebody log in")
    _name(one)
    one.add_argument("--role", choices=_ROLES, default="viewer", help="what they may do (viewer)")
    _password_file(one)

    one = _asking(commands, common, "list", list_users, "show everyone who may")
    one.add_argument("--json", action="store_true", help="as JSON")

    one = _asking(commands, common, "role", role, "give a user another role")
    _name(one)
    one.add_argument("role", metavar="ROLE", choices=_ROLES, help=" | ".join(_ROLES))

    one = _asking(commands, common, "password", password, "give a user a new password")
    _name(one)
    _password_file(one)

    one = _asking(commands, common, "disable", disable, "keep a user out")
    _name(one)
    one.add_argument("--undo", action="store_true", help="let them in again")

    one = _asking(commands, common, "remove", remove, "take a user away")
    _name(one)

    one = commands.add_parser(
        "hash",
        help="print the hash of a password",
        description="Read a password, twice at a terminal, and print what VIEWER_PASSWORD_HASH "
        "is to be. No identifier is asked.",
    )
    _password_file(one)
    one.set_defaults(run=make_hash)
    return parser


def _asking(
    commands: Commands,
    common: Parser,
    name: str,
    run: Callable[[Api, argparse.Namespace], None],
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        parents=[common],
        help=text,
        description=f"{text.capitalize()}.",
        allow_abbrev=False,  # --password would be a file's name
    )

    def asking(options: argparse.Namespace) -> None:
        with Api(load_address(options)) as api:
            run(api, options)

    parser.set_defaults(run=asking)
    return parser


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")


def _password_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        type=Path,
        help="its first line is the password, - is the standard input; else it is asked for",
    )
