"""What the demo's footage is made of, read from `footage.toml` and validated."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.errors import SourceError
from services.models.packs import Place
from services.records.frames import valid_camera_name

RECIPE_FILE = Path(__file__).with_name("footage.toml")

Pixels = Annotated[int, Field(ge=0, le=20_000)]
FrameSide = Annotated[int, Field(ge=16, le=4096, multiple_of=2)]
View = tuple[Pixels, Pixels, Annotated[int, Field(ge=16, le=20_000)]]
"""Left, top and width in pixels of the photo; the height follows from the camera's shape."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Package(_Entry):
    """A distribution on PyPI and its terms; `sdist_sha256` (hex) where it is a source archive."""

    pypi: str
    sdist_sha256: str | None = None
    terms: str


class File(_Entry):
    """One clip or photo in a package; `sha256` (hex) is of that file."""

    package: str
    member: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Scene(_Entry):
    """A photo, and the views between which the picture glides."""

    photo: str
    views: tuple[View, ...] = Field(min_length=2)


class Camera(_Entry):
    """One camera: a clip as it was filmed, or photos over which the picture moves.

    Attributes:
        expected: enrolled people that must be recognised there.
        size: width and height in pixels.
        fps: frames per second, at most.
        seconds_per_view: how long the picture glides from one view to the next.
    """

    expected: tuple[str, ...]
    clip: str | None = None
    scenes: tuple[Scene, ...] = ()
    size: tuple[FrameSide, FrameSide]
    fps: Annotated[int, Field(ge=1, le=60)]
    seconds_per_view: Annotated[float, Field(gt=0, le=60)] = 4

    @model_validator(mode="after")
    def _one_kind(self) -> Camera:
        if (self.clip is None) == (not self.scenes):
            raise ValueError("a camera has either a `clip` or `scenes`")
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """The files it is made of."""
        return (self.clip,) if self.clip else tuple(scene.photo for scene in self.scenes)


class Recipe(_Entry):
    """All of the demo's footage, by name."""

    packages: dict[str, Package]
    files: dict[str, File]
    people: dict[str, str]
    cameras: dict[str, Camera]

    @model_validator(mode="after")
    def _names_exist(self) -> Recipe:
        shown = {file for camera in self.cameras.values() for file in camera.files}
        enrolled = set(self.people.values())
        checks = (
            ("package", {file.package for file in self.files.values()} - set(self.packages)),
            ("file", (shown | enrolled) - set(self.files)),
            ("person", {who for camera in self.cameras.values() for who in camera.expected}
             - set(self.people)),
        )  # fmt: skip
        for kind, missing in checks:
            if missing:
                raise ValueError(f"no {kind} is called {', '.join(sorted(missing))}")
        if shown & enrolled:
            raise ValueError(f"enrolled and shown: {', '.join(sorted(shown & enrolled))}")
        for name in self.cameras:
            if not valid_camera_name(name):
                raise ValueError(f"{name!r} is not a camera's name")
        return self

    def place(self, name: str) -> Place:
        """Where a file is to be had."""
        file = self.files[name]
        package = self.packages[file.package]
        return Place(pypi=package.pypi, sdist_sha256=package.sdist_sha256, member=file.member)

    @property
    def licences(self) -> tuple[str, ...]:
        """One line per package: what is taken from it, and on what terms."""
        return tuple(
            f"{package.pypi} (PyPI): {package.terms}" for package in self.packages.values()
        )


def load_recipe(path: Path = RECIPE_FILE) -> Recipe:
    """Read a recipe.

    Raises:
        SourceError: it cannot be read, or something in it does not fit.
    """
    try:
        return Recipe(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, ValidationError) as error:
        raise SourceError(f"{path}: not a recipe of footage: {error}") from error
