"""`facestream people add | list | show | rename | merge | threshold | notes | remove`."""

from __future__ import annotations

import argparse
import sys

from services.cli.people.answers import Anything, Enrolled, PeoplePage, PersonWithFaces
from services.cli.people.api import Api, RefusedError, part
from services.cli.people.naming import find_person
from services.cli.people.since import shown
from services.cli.people.tables import counted, print_json, print_table
from services.errors import SettingsError


def add(api: Api, options: argparse.Namespace) -> int:
    """Enrol photos, one after the other; 1 when one was refused."""
    refused = 0
    for photo in options.photo:
        try:
            enrolled = api.send(
                "POST",
                f"people/{part(options.name)}/faces",
                Enrolled,
                file=(photo.name, photo.read_bytes()),
                query={"force": True} if options.force else None,
            )
        except RefusedError as error:
            refused += 1
            hint = "" if options.force else _hint(error)
            print(f"{photo}: refused: {error}{hint}", file=sys.stderr)
            continue
        except OSError as error:
            refused += 1
            print(f"{photo}: {error.strerror}", file=sys.stderr)
            continue
        what = "enrolled" if enrolled.added else "known already"
        person = enrolled.person
        print(f"{photo}: {what} as {person.name} ({person.slug}): {enrolled.face.summary}")
        if enrolled.remark:
            print(f"{photo}: warning: {enrolled.remark}", file=sys.stderr)
    return 1 if refused else 0


def list_people(api: Api, options: argparse.Namespace) -> int:
    """Show everyone, or those whose name has the text in it."""
    query = {"q": options.search}
    people = list(api.entries("people", PeoplePage, lambda page: page.people, query, options.limit))
    if options.json:
        print_json(people)
        return 0
    if not people:
        print("nobody is enrolled" if options.search is None else "nobody is called that")
        return 0
    rows = [
        (
            person.name,
            person.slug,
            str(person.faces),
            str(person.sightings),
            "" if person.last_seen is None else shown(person.last_seen),
            "" if person.threshold is None else f"{person.threshold:g}",
            person.notes.replace("\n", " "),
        )
        for person in people
    ]
    print_table(("name", "slug", "photos#", "sightings#", "last seen", "threshold#", "notes"), rows)
    print(counted(len(people), "person", "people"))
    return 0


def show(api: Api, options: argparse.Namespace) -> int:
    """Show one person and their photos."""
    slug = find_person(api, options.name).slug
    found = api.get(f"people/{part(slug)}", Anything if options.json else PersonWithFaces)
    if not isinstance(found, PersonWithFaces):
        print_json(found)
        return 0
    person = found.person
    threshold = "the default" if person.threshold is None else f"{person.threshold:g}"
    print(f"{person.name}\n  slug        {person.slug}")
    print(f"  enrolled    {shown(person.created_at)}\n  threshold   {threshold}")
    seen = "" if person.last_seen is None else f", the last until {shown(person.last_seen)}"
    print(f"  sightings   {person.sightings}{seen}")
    if person.notes:
        print(f"  notes       {person.notes}")
    rows = [
        (face.id, face.summary, shown(face.created_at), face.origin, face.model_pack or "")
        for face in found.faces
    ]
    print_table(("photo", "quality", "enrolled", "from", "models"), rows)
    return 0


def rename(api: Api, options: argparse.Namespace) -> int:
    """Give a person another name; slug and topic stay."""
    person = find_person(api, options.name)
    api.send("PATCH", f"people/{part(person.slug)}", Anything, body={"name": options.new_name})
    print(f"{person.name} is called {options.new_name} now; the slug stays {person.slug}")
    return 0


def merge(api: Api, options: argparse.Namespace) -> int:
    """Make two people one."""
    person, into = find_person(api, options.name), find_person(api, options.into)
    path = f"people/{part(person.slug)}/merge"
    api.send("POST", path, Anything, body={"into": into.slug})
    print(f"{person.name} is {into.name} now, photos and sightings too")
    return 0


def threshold(api: Api, options: argparse.Namespace) -> int:
    """Set from which similarity a person is named."""
    value = _threshold(options.value)
    person = find_person(api, options.name)
    api.send("PATCH", f"people/{part(person.slug)}", Anything, body={"threshold": value})
    print(f"{person.name} is named from {'the default' if value is None else f'{value:g}'} on")
    return 0


def notes(api: Api, options: argparse.Namespace) -> int:
    """Keep a text with a person."""
    person = find_person(api, options.name)
    api.send("PATCH", f"people/{part(person.slug)}", Anything, body={"notes": options.text})
    print(f"{person.name}: {'noted' if options.text else 'notes removed'}")
    return 0


def remove(api: Api, options: argparse.Namespace) -> int:
    """Remove a person from the gallery, or one of their photos."""
    person = find_person(api, options.name)
    if options.photo is not None:
        api.delete(f"people/{part(person.slug)}/faces/{part(options.photo)}")
        print(f"photo {options.photo} of {person.name} removed")
        return 0
    api.delete(f"people/{part(person.slug)}")
    print(f"{person.name} removed, with {counted(person.faces, 'photo')}")
    return 0


def _threshold(text: str) -> float | None:
    if text == "default":
        return None
    try:
        value = float(text)
    except ValueError:
        value = 2.0
    if not -1 <= value <= 1:
        raise SettingsError(f"{text}: a threshold is a number from -1 to 1, or the word default")
    return value


def _hint(error: RefusedError) -> str:
    takes_force = error.reason in ("face-too-small", "low-score", "blurred", "strong-pose")
    return " (--force takes it all the same)" if takes_force else ""
