"""What `facestream tag` can be told."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from services.broker.settings import BrokerSettings
from services.errors import SettingsError
from services.kafka.settings import KafkaSettings

_MATCHING = ("threshold", "confirm_frames", "track_lost_ms", "model_pack")
_HELP = """\
Tag photos and videos: who is in them, as JSON, tagged pictures and a contact sheet.

  facestream tag holiday/ party.mp4 --people ./people --out tagged
  facestream tag holiday/ --people ./people --out tagged           # again: only what is new
  facestream tag holiday/ --people ./people --out tagged --check   # is all of it current?

PEOPLE is a folder of photos, `<name>/*.jpg` or `<name>.jpg`. Everything goes through the same
pipeline as a camera, on a broker of its own, or in topics of its own on KAFKA_BOOTSTRAP_SERVERS.
Teach somebody new and run it again: faces are matched anew, and only the pictures that show that
person are written."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for.

    Attributes:
        paths: files and folders to tag.
        people: folder of people.
        out: folder of outputs.
        labels: folder of an image per person, to be put on their faces; None draws boxes.
        check: only say whether all is current.
    """

    paths: tuple[Path, ...]
    people: Path
    out: Path
    labels: Path | None
    check: bool


class TagSettings(BrokerSettings, KafkaSettings):
    """The broker of a run."""

    service_name: ClassVar[str] = "tag"
    summary: ClassVar[str] = "Tag photos and videos."


def parse(argv: Sequence[str]) -> Options:
    """Read the command line.

    Raises:
        SettingsError: a folder is not there, or is empty.
    """
    parser = argparse.ArgumentParser(
        prog="facestream tag",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", type=Path, help="pictures, videos, folders"
    )
    parser.add_argument("--people", required=True, type=Path, help="folder of people")
    parser.add_argument("--out", required=True, type=Path, help="folder of outputs")
    parser.add_argument("--labels", type=Path, help="folder of an image per person, `<name>.png`")
    parser.add_argument("--check", action="store_true", help="say whether all is current; 1 if not")
    given = parser.parse_args(argv)
    options = Options(tuple(given.paths), given.people, given.out, given.labels, given.check)
    for name, folder in (("--people", options.people), ("--labels", options.labels)):
        if folder is not None and not folder.is_dir():
            raise SettingsError(f"{name} {folder}: no such folder")
    return options


def relevant(env: Mapping[str, str] | None = None) -> tuple[dict[str, str], dict[str, str]]:
    """Settings that change what is found in a frame, and those that change who it is."""
    from consumer.settings import WorkerSettings
    from identifier.settings import IdentifierSettings

    variables = dict(os.environ if env is None else env)
    worker, identifier = WorkerSettings.load(env=variables), IdentifierSettings.load(env=variables)
    detection = {
        name: str(getattr(worker, name))
        for name in type(worker).model_fields
        if name == "model_pack" or name.startswith("detection_")
    }
    matching = {
        name: str(getattr(identifier, name))
        for name in type(identifier).model_fields
        if name in _MATCHING or name.startswith("enrol_")
    }
    return detection, matching
