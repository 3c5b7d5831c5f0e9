"""`facestream people erase`: everything of a person goes, and the proof of it is printed."""

from __future__ import annotations

import argparse
import sys

from services.cli.people.answers import Erasure, Kept
from services.cli.people.api import Api, part
from services.cli.people.journal import forget
from services.cli.people.naming import find_person
from services.cli.people.settings import load_address
from services.cli.people.since import shown
from services.cli.people.tables import print_json
from services.errors import SettingsError


def erase(api: Api, options: argparse.Namespace) -> int:
    """Erase a person after their name was typed again; 1 when it was not, or something is left.

    Raises:
        SettingsError: there is nobody to ask, and no --yes.
    """
    person = find_person(api, options.name)
    if not options.yes and not _confirmed(person.name):
        print("nothing was erased", file=sys.stderr)
        return 1
    proof = api.send("POST", f"people/{part(person.slug)}/erase", Erasure)
    forget(load_address(options).journals, person.slug)
    if options.json:
        print_json(proof)
    else:
        _print(proof)
    return 0 if proof.verified else 1


def _print(proof: Erasure) -> None:
    print(f"erased at {shown(proof.at)}:")
    width = max((len(kind) for kind in proof.removed), default=0)
    for kind, number in proof.removed.items():
        print(f"  {kind.replace('_', ' '):<{width}}  {number} removed")
    for kept in proof.kept:
        print(f"  {kept.topic}: {kept.holds}; {_until(kept)}")
    for left in proof.not_removed:
        print(f"  not ours to remove: {left}")
    for left in proof.remaining:
        print(f"  still there: {left}", file=sys.stderr)
    print("looked again: nothing is left" if proof.verified else "erase again: something is left")


def _until(kept: Kept) -> str:
    if kept.expires_at is not None:
        return f"gone by itself by {shown(kept.expires_at)}"
    return "never goes by itself" if kept.retention_ms == -1 else "nobody says when it goes"


def _confirmed(name: str) -> bool:
    if not sys.stdin.isatty():
        raise SettingsError("erase asks before it erases: run it on a terminal, or with --yes")
    print(
        f"This removes {name} for good: photos, embeddings, crops, sightings, events and their "
        "topic.\nType the name to go on: ",
        end="",
        flush=True,
        file=sys.stderr,
    )
    return sys.stdin.readline().strip() == name
