"""`facestream people import`: many people at once, as often as it takes."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.people.answers import PeoplePage
from services.cli.people.api import Api
from services.cli.people.journal import Journal
from services.cli.people.settings import Commands, Parser, load_address
from services.cli.people.sources import read_source
from services.cli.people.tables import counted, print_table
from services.cli.people.upload import Refusal, Tally, Upload
from services.errors import FacestreamError, SettingsError

_SHOWN = 30


def add_import(commands: Commands, common: Parser) -> None:
    """Add the subcommand to those of `facestream people`."""
    parser = commands.add_parser(
        "import",
        parents=[common],
        help="enrol everyone in a folder or a CSV",
        description="Enrol everyone in a folder or a CSV. May be ended and run again: what was "
        "done is not sent again.",
        epilog="""a folder                         a CSV (paths from its own folder)
  people/                          name,path,notes
    Sam/1.jpg                      Sam,photos/sam.jpg,front desk
    Sam/2.jpg                      Ann Lee,photos/ann.png
    Ann Lee.png

examples:
  facestream people import people/
  facestream people import staff.csv --jobs 8 --refused refused.csv

Exit status 1 when a photo was refused.""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="FOLDER|CSV", type=Path)
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=_jobs,
        default=4,
        help="connections at the same time, 1 to 64 (default 4)",
    )
    parser.add_argument("--force", action="store_true", help="take small or unclear faces too")
    parser.add_argument(
        "--refused", metavar="CSV", type=Path, help="write refused photos and why to this file"
    )
    parser.add_argument(
        "--journal",
        metavar="FILE",
        type=Path,
        help="where to note what is done; default in the data directory [DATA_DIR]",
    )
    parser.set_defaults(run=import_people)


def import_people(options: argparse.Namespace) -> int:
    """Send what the journal does not have; 1 when a photo was refused.

    Raises:
        FatalError: the source cannot be read, or the identifier does not answer.
    """
    people = read_source(options.source)
    address = load_address(options)
    journal = (
        Journal(options.journal)
        if options.journal
        else Journal.of(address.journals, address.identifier_url, options.source)
    )
    with Api(address, connections=options.jobs) as api:
        present = _present(api) if len(journal) else {}
        upload = Upload(api, journal, present, force=options.force)
        photos = sum(len(someone.photos) for someone in people)
        try:
            with _progress() as bar:
                task = bar.add_task(
                    counted(len(people), "person", "people"), total=photos, refused=0
                )

                def show(tally: Tally) -> None:
                    bar.update(task, completed=tally.seen, refused=len(tally.refused))

                upload.run(people, options.jobs, show)
        except (KeyboardInterrupt, FacestreamError):
            left = photos - upload.tally.seen
            again = "run the same command again to go on"
            print(f"{counted(left, 'photo')} left: {again}", file=sys.stderr)
            raise
        finally:
            _report(upload.tally, options.refused)
    return 1 if upload.tally.refused else 0


def _present(api: Api) -> dict[str, int]:
    everyone = api.entries("people", PeoplePage, lambda page: page.people, {})
    return {person.slug: person.faces for person in everyone}


def _report(tally: Tally, refused_file: Path | None) -> None:
    for warning in tally.warnings[:_SHOWN]:
        print(f"warning: {warning}", file=sys.stderr)
    if len(tally.warnings) > _SHOWN:
        print(f"... and {len(tally.warnings) - _SHOWN} more warnings", file=sys.stderr)
    if tally.refused:
        rows = [(each.name, str(each.path), each.detail) for each in tally.refused[:_SHOWN]]
        print_table(("refused", "photo", "why"), rows)
        if len(tally.refused) > _SHOWN:
            print(f"... and {len(tally.refused) - _SHOWN} more; --refused FILE writes all of them")
    if refused_file is not None:
        _write(refused_file, tally.refused)
    print(
        f"{counted(tally.added, 'photo')} enrolled, {tally.known} known to the identifier, "
        f"{tally.skipped} done in an earlier run, {len(tally.refused)} refused"
    )


def _write(path: Path, refused: Sequence[Refusal]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("name", "path", "reason", "detail"))
            rows.writerows((r.name, r.path.absolute(), r.reason, r.detail) for r in refused)
    except OSError as error:
        raise SettingsError(f"--refused {path}: {error.strerror}") from None


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[refused]} refused"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _jobs(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text}: a number from 1 to 64")
    return int(text)
