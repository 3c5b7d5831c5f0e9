"""`facestream people backfill`: find someone in the past, watching how the search goes on."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.people.answers import Backfill
from services.cli.people.api import Api, part
from services.cli.people.naming import find_person
from services.cli.people.since import moment, rfc3339, shown
from services.cli.people.tables import counted

_LOOK_EVERY_S = 0.5
_ENDED = ("done", "failed", "cancelled")


def backfill(api: Api, options: argparse.Namespace) -> int:
    """Start a search and follow it; 1 when it fails or was cancelled.

    The identifier does the work: ending this command does not end it.
    """
    since = moment(options.since, datetime.now(UTC))
    person = find_person(api, options.name)
    body = {"person": person.slug, "since": rfc3339(since)}
    run = api.send("POST", "backfills", Backfill, body=body)
    print(f"looking for {person.name} since {shown(since)} (backfill {run.id})")
    if options.no_wait:
        return 0
    try:
        run = _follow(api, run)
    except KeyboardInterrupt:
        print(
            f"the search goes on in the identifier; to end it: facestream people backfill "
            f"--cancel {run.id}",
            file=sys.stderr,
        )
        raise
    return _end(run)


def cancel(api: Api, backfill_id: str) -> int:
    """End a search; what it found stays."""
    run = api.send("POST", f"backfills/{part(backfill_id)}/cancel", Backfill)
    print(f"backfill {run.id}: {run.state}; {_found(run)}")
    return 0


def _follow(api: Api, run: Backfill) -> Backfill:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task(run.state, total=None, note="")
        while run.state not in _ENDED:
            time.sleep(_LOOK_EVERY_S)
            run = api.get(f"backfills/{part(run.id)}", Backfill)
            bar.update(
                task,
                description=run.state,
                completed=run.faces,
                total=run.faces_total or None,
                note=f"{run.faces:,}/{run.faces_total:,} faces, {run.rate_faces_s:,.0f} faces/s, "
                f"{counted(run.hits, 'hit')}",
            )
    return run


def _end(run: Backfill) -> int:
    if run.state == "done":
        print(f"done: {_found(run)}")
        return 0
    why = f": {run.error}" if run.error else ""
    print(f"{run.state}{why}; until then {_found(run)}", file=sys.stderr)
    return 1


def _found(run: Backfill) -> str:
    return (
        f"{run.faces:,} faces looked at, {run.rate_faces_s:,.0f} faces/s, "
        f"{counted(run.hits, 'hit')} in {counted(run.sightings, 'sighting')}"
    )
