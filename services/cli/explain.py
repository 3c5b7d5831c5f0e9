"""`facestream explain`: why a sighting has its name, back to the frame and the photo."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from services.cli.people.api import Api, RefusedError, part
from services.cli.people.settings import Parser, address_flags, load_address
from services.cli.people.tables import print_json
from services.errors import SettingsError

_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
_PREFIX = "/api/v1/"

_EXAMPLES = """examples:
  facestream sightings --person Sam               the ids of Sam's sightings
  facestream explain 3f0c...                      sighting, track, frame, models, photo, score
  facestream explain 3f0c... --save why/          and the crop, the frame and the photo as files

The frame is there while Kafka keeps it, the photo until it is removed."""


class _Photo(BaseModel):
    address: str | None = None


class _Explanation(BaseModel):
    model_config = ConfigDict(extra="allow")

    text: str
    photo: _Photo | None = None


def main(argv: Sequence[str] = ()) -> int:
    """Print the chain of one sighting; 1 when --save could not get every picture.

    Raises:
        FacestreamError: the identifier refused, or does not answer.
    """
    options = _parser().parse_args(list(argv))
    with Api(load_address(options)) as api:
        base = f"sightings/{part(options.sighting)}"
        found = api.get(f"{base}/explanation", _Explanation)
        if options.json:
            print_json(found)
        else:
            print(found.text.rstrip("\n"))
        if options.save is None:
            return 0
        pictures = {"crop": f"{base}/crop", "frame": f"{base}/frame"}
        if found.photo is not None and (found.photo.address or "").startswith(_PREFIX):
            pictures["photo"] = str(found.photo.address).removeprefix(_PREFIX)
        return _save(api, pictures, options.save)


def _save(api: Api, pictures: dict[str, str], folder: Path) -> int:
    missing = 0
    for name, path in pictures.items():
        try:
            data, media_type = api.download(path)
        except RefusedError as error:
            missing += 1
            print(f"{name}: {error}", file=sys.stderr)
            continue
        file = folder / f"{name}{_SUFFIXES.get(media_type, '')}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        except OSError as error:
            raise SettingsError(f"{file}: {error.strerror}") from None
        print(f"saved {file}", file=sys.stderr)
    return 1 if missing else 0


def _parser() -> Parser:
    parser = Parser(
        prog="facestream explain",
        description="Say why a sighting has its name: from the sighting over its track, frame and "
        "models to the reference photo, with score and threshold.",
        epilog=_EXAMPLES,
        parents=[address_flags()],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sighting", metavar="SIGHTING", help="its id")
    parser.add_argument("--save", metavar="DIR", type=Path, help="save crop, frame and photo here")
    parser.add_argument("--json", action="store_true", help="as JSON")
    return parser
