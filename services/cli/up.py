"""`facestream up`: everything on this machine, on the user's cameras and files."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from services.cli import screen
from services.cli.settings import UpSettings
from services.cli.stack import Stack
from services.lifecycle.logs import setup_logging
from services.lifecycle.stopping import StopSignal, install_signal_handlers


def main(argv: Sequence[str] = ()) -> int:
    """Run until Ctrl-C, `--seconds`, or (`--exit-when-done`) the end of the files."""
    return run(UpSettings.load(argv))


def run(settings: UpSettings) -> int:
    """Run a stack, then tell what was seen."""
    setup_logging(settings.model_copy(update={"log_level": "WARNING"}))
    stop = StopSignal()
    install_signal_handlers(stop)
    stack = Stack(settings, stop, on_page=_open_page if settings.open_browser else None)
    report = stack.run()
    screen.console.print(screen.summary_table(report))
    if settings.report is not None:
        _write_atomically(settings.report, json.dumps(report, indent=2) + "\n")
    return 0


def _open_page(page: str) -> None:
    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(page)


def _write_atomically(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)
