"""`facestream models list | pull | verify`: the model packs, from the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from services.lifecycle.logs import setup_logging
from services.models.install import default_models_dir, ensure_pack, verify_pack
from services.models.packs import Pack, get_pack, packs
from services.models.settings import ModelSettings


class _ModelsCommand(ModelSettings):
    service_name: ClassVar[str] = "models"
    summary: ClassVar[str] = "Model packs on this machine."


def main(argv: Sequence[str]) -> int:
    """Run the command; 0 when all is well, 1 when a file is missing or corrupt.

    Raises:
        FatalError: unknown pack, or one that cannot be had.
    """
    arguments = _parser().parse_args(list(argv))
    flags = ["--log-level", arguments.log_level]
    if arguments.models_dir is not None:
        flags += ["--models-dir", arguments.models_dir]
    if arguments.models_path is not None:
        flags += ["--models-path", arguments.models_path]
    settings = _ModelsCommand.load(flags)
    setup_logging(settings)
    names = getattr(arguments, "pack", None)
    if arguments.command == "list":
        return _list(settings)
    if arguments.command == "pull":
        return _pull([get_pack(name) for name in names or [settings.model_pack]], settings)
    return _verify([get_pack(name) for name in names] if names else None, settings)


def _list(settings: _ModelsCommand) -> int:
    for pack in packs().values():
        states = {check.state for check in verify_pack(pack, settings.models_dir)}
        installed = (
            "installed"
            if states == {"ok"}
            else "corrupt"
            if "corrupt" in states
            else "not installed"
        )
        default = ", the default" if pack.name == settings.model_pack else ""
        untested = "" if pack.tested else " (listed; this project's tests do not run it)"
        print(f"{pack.name}: {installed}{default}, threshold {pack.threshold:.2f}")
        print(f"  {pack.summary}{untested}\n  {pack.licence}")
    print(f"\nKept in {settings.models_dir or default_models_dir()}")
    return 0


def _pull(wanted: Sequence[Pack], settings: _ModelsCommand) -> int:
    for pack in wanted:
        here = all(check.state == "ok" for check in verify_pack(pack, settings.models_dir))
        if not here:
            print(f"{pack.name}: {pack.licence}\n  {pack.licence_url}", flush=True)
        places = tuple(Path(path) for path in settings.models_path)
        installed = ensure_pack(pack, settings.models_dir, places)
        folder = installed.detector.path.parent
        print(f"{pack.name}: {'already here' if here else 'pulled'} and verified, in {folder}")
    return 0


def _verify(wanted: Sequence[Pack] | None, settings: _ModelsCommand) -> int:
    """Check the packs asked for; when None, those of which something is installed."""
    sound, seen = True, False
    for pack in packs().values() if wanted is None else wanted:
        checks = verify_pack(pack, settings.models_dir)
        if wanted is None and all(check.state == "missing" for check in checks):
            continue
        seen = True
        for check in checks:
            print(f"{pack.name}  {check.role:<10}  {check.state:<7}  {check.name}  {check.detail}")
            sound = sound and check.state == "ok"
    if not seen:
        print("no model pack is installed; facestream models pull brings one")
    return 0 if sound else 1


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--models-dir", metavar="DIR", help="where packs are kept; default the cache [MODELS_DIR]"
    )
    common.add_argument(
        "--models-path",
        metavar="DIR,DIR",
        help="directories that may hold the files already [MODELS_PATH]",
    )
    common.add_argument(
        "--log-level", default="WARNING", choices=("DEBUG", "INFO", "WARNING", "ERROR")
    )
    parser = argparse.ArgumentParser(
        prog="facestream models",
        description="A model pack is a face detector and a recogniser that belong together."
        " Every file is checked against its SHA-256.",
        epilog="The InsightFace packs are licensed for non-commercial research only.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", parents=[common], help="the packs, and which are installed")
    pull = commands.add_parser(
        "pull", parents=[common], help="download, verify and prepare packs; shows their licence"
    )
    pull.add_argument("pack", nargs="*", help="pack to pull; default MODEL_PACK")
    verify = commands.add_parser(
        "verify", parents=[common], help="check installed files; exit 1 when one is not sound"
    )
    verify.add_argument("pack", nargs="*", help="pack to check; default every installed one")
    return parser
