"""`facestream tokens`: API tokens for programs."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.access import SCOPES, clean_scopes
from services.cli.access.answers import NewToken, Token, Tokens
from services.cli.people.api import Api, part
from services.cli.people.settings import Parser, address_flags, load_address
from services.cli.people.since import moment, rfc3339, shown
from services.cli.people.tables import print_json, print_table
from services.errors import FacestreamError, RecordError, SettingsError

_EXAMPLES = f"""examples:
  facestream tokens create dashboard --scopes read,streams --expires 90d
  facestream tokens create garage --scopes producer
  facestream tokens list
  facestream tokens revoke dashboard

scopes: {", ".join(SCOPES)}.
A token is printed once, when it is made. Programs send it as the header
Authorization: Bearer TOKEN, to the identifier's API and to the viewer alike."""

_NEVER = "never"
_SPAN = re.compile(r"\d+\s*[a-zA-Z]")


def main(argv: Sequence[str] = ()) -> int:
    """Run one subcommand.

    Raises:
        FacestreamError: the identifier refused, or does not answer.
    """
    options = _parser().parse_args(list(argv))
    with Api(load_address(options)) as api:
        options.run(api, options)
    return 0


def create(api: Api, options: argparse.Namespace) -> None:
    """Make a token and print it, alone on the standard output."""
    try:
        scopes = clean_scopes(options.scopes.split(","))
    except RecordError as error:
        raise SettingsError(f"--scopes {options.scopes}: {error}") from None
    body = {
        "name": options.name,
        "scopes": list(scopes),
        "expires_at": _expiry(options.expires, datetime.now(UTC)),
    }
    made = api.send("POST", "tokens", NewToken, body=body)
    ends = "never expires" if made.expires_at is None else f"expires {shown(made.expires_at)}"
    print(
        f"{made.name} may {', '.join(made.scopes)} and {ends}; this is shown once:", file=sys.stderr
    )
    print(made.token)


def list_tokens(api: Api, options: argparse.Namespace) -> None:
    """Show every token, without its text."""
    tokens = api.get("tokens", Tokens).tokens
    if options.json:
        print_json(tokens)
    elif not tokens:
        print("no tokens")
    else:
        now = datetime.now(UTC)
        rows = [
            (
                token.name,
                ",".join(token.scopes),
                _ending(token, now),
                _NEVER if token.last_used_at is None else shown(token.last_used_at),
            )
            for token in tokens
        ]
        print_table(("name", "scopes", "expires", "last used"), rows)


def revoke(api: Api, options: argparse.Namespace) -> None:
    """Make a token useless."""
    found = [token for token in api.get("tokens", Tokens).tokens if token.name == options.name]
    if not found:
        raise FacestreamError(f"there is no token {options.name}; `facestream tokens list`")
    api.delete(f"tokens/{part(found[0].id)}")
    print(f"{options.name} is revoked")


def _ending(token: Token, now: datetime) -> str:
    if token.expires_at is None:
        return _NEVER
    return "expired" if token.expires_at <= now else shown(token.expires_at)


def _expiry(text: str | None, now: datetime) -> str | None:
    """When a token ends: `90d` from now on, or a date.

    Raises:
        SettingsError: it is neither, or in the past.
    """
    if text is None or text == _NEVER:
        return None
    try:
        meant = moment(text, now)
    except SettingsError:
        raise SettingsError(
            f"--expires {text}: write how long from now (12h, 90d, 52w), a date, or never"
        ) from None
    # What is written like "90d" means that long ago elsewhere.
    ahead = now - meant if _SPAN.fullmatch(text.strip()) else meant - now
    if ahead <= timedelta(0):
        raise SettingsError(f"--expires {text}: lies in the past")
    return rfc3339(now + ahead)


def _parser() -> Parser:
    common = address_flags()
    parser = Parser(
        prog="facestream tokens",
        description="API tokens: what programs use instead of a name and password.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    one = commands.add_parser(
        "create", parents=[common], help="make one", description="Make a token and print it."
    )
    one.add_argument("name", metavar="NAME", help="what it is for")
    one.add_argument("--scopes", metavar="A,B", required=True, help="what it may do, of the above")
    one.add_argument("--expires", metavar="TIME", help="12h, 90d, 52w, 2027-01-01, never (never)")
    one.set_defaults(run=create)

    one = commands.add_parser("list", parents=[common], help="show them")
    one.add_argument("--json", action="store_true", help="as JSON")
    one.set_defaults(run=list_tokens)

    one = commands.add_parser("revoke", parents=[common], help="make one useless")
    one.add_argument("name", metavar="NAME")
    one.set_defaults(run=revoke)
    return parser
