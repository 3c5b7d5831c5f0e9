"""`facestream doctor`: look at everything, say what to fix."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from services.cli.checks import DoctorSettings, all_checks
from services.lifecycle.logs import setup_logging

_MARKS = {"ok": "[green]ok[/green]", "warn": "[yellow]look[/yellow]", "fail": "[red]fix[/red]"}


def main(argv: Sequence[str] = ()) -> int:
    """Print one row per check; the status is 1 when something must be fixed."""
    settings = DoctorSettings.load(argv)
    setup_logging(settings.model_copy(update={"log_level": "ERROR"}))
    table = Table(box=None, pad_edge=False)
    for column in ("", "what", "how it stands", "what to do"):
        table.add_column(column, overflow="fold")
    failed = False
    for check in all_checks(settings):
        failed |= check.state == "fail"
        table.add_row(_MARKS[check.state], check.what, check.detail, check.fix)
    Console().print(table)
    return 1 if failed else 0
