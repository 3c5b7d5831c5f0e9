"""`facestream demo`: everything on this machine, on sample footage; nothing is kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from services.cli import screen, up
from services.cli.footage import prepare_footage
from services.cli.settings import DemoSettings
from services.lifecycle.logs import setup_logging


def main(argv: Sequence[str] = ()) -> int:
    """Run until Ctrl-C or `--seconds`, then tell who was seen."""
    settings = DemoSettings.load(argv)
    setup_logging(settings.model_copy(update={"log_level": "WARNING"}))
    with screen.console.status("preparing sample footage (25 MB, once)"):
        footage = prepare_footage(settings.cache_dir)
    if footage.fetched:
        for licence in footage.licences:
            screen.console.print(f"[dim]{licence}[/dim]")
    os.environ |= {"LOOP": "true", "REALTIME": "true"}
    with tempfile.TemporaryDirectory(prefix="facestream-demo-") as folder:
        changes: dict[str, object] = {
            "sources": tuple(f"{name}={path}" for name, path in footage.cameras.items()),
            "people_dir": footage.people_dir,
            "data_dir": Path(folder),
        }
        if "embedded_broker" not in settings.model_fields_set:
            changes["embedded_broker"] = "memory"
        return up.run(settings.model_copy(update=changes))
