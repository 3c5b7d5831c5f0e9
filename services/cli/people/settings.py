"""Where the identifier is that the command line talks to."""

from __future__ import annotations

import argparse
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NoReturn
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from services.broker.settings import default_data_dir
from services.certificate import check_authority
from services.errors import SettingsError
from services.settings import ServiceSettings

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction["Parser"]
else:
    Commands = object


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, like all others of the command line."""

    def error(self, message: str) -> NoReturn:
        """Complain.

        Raises:
            SettingsError: always.
        """
        raise SettingsError(f"{message}; see {self.prog} --help")


class IdentifierAddress(ServiceSettings):
    """Settings of every command that asks a running identifier."""

    service_name: ClassVar[str] = "people"
    summary: ClassVar[str] = "Which identifier `people`, `sightings`, `unknowns`, `explain` ask."

    identifier_url: str = Field(
        "http://127.0.0.1:5011",
        max_length=2_000,
        description="Address of the identifier's REST API.",
    )
    identifier_token: SecretStr | None = Field(
        None, min_length=1, description="Bearer token of the API: what its API_TOKEN says."
    )
    identifier_ca: Path | None = Field(
        None,
        description="Certificates (PEM) of the authority to trust where that address is https, "
        "instead of the public ones.",
    )
    identifier_timeout_s: float = Field(
        120, gt=0, le=86_400, description="Longest wait for one answer (s)."
    )

    data_dir: Path | None = Field(
        None,
        description="Where imports note what they have done; the user's data directory when unset.",
    )

    @field_validator("identifier_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            sound = parts.scheme in ("http", "https") and bool(parts.hostname)
            _ = parts.port
        except ValueError:
            sound = False
        if not sound:
            raise ValueError("write it as http://host:port")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("only scheme, host, port and path belong here")
        return value.rstrip("/")

    @field_validator("identifier_ca")
    @classmethod
    def _an_authority(cls, value: Path | None) -> Path | None:
        return check_authority(value)

    @property
    def journals(self) -> Path:
        """The folder where imports note what they have done."""
        return (self.data_dir or default_data_dir()) / "imports"

    @property
    def on_loopback(self) -> bool:
        """Whether the address is this machine: no proxy leads there."""
        host = urlsplit(self.identifier_url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def address_flags() -> Parser:
    """The flags that every such command has; a parent for its parsers."""
    parser = Parser(add_help=False)
    parser.add_argument(
        "--identifier-url",
        metavar="URL",
        help="the identifier's REST API; default http://127.0.0.1:5011 [IDENTIFIER_URL]; "
        "its token comes from [IDENTIFIER_TOKEN] or [IDENTIFIER_TOKEN_FILE]",
    )
    parser.add_argument(
        "--identifier-ca",
        metavar="PATH",
        help="certificates (PEM) to trust where that is https, instead of the public ones "
        "[IDENTIFIER_CA]",
    )
    return parser


def load_address(options: argparse.Namespace) -> IdentifierAddress:
    """The settings, from the flags above and the environment.

    Raises:
        SettingsError: a variable or a flag is wrong.
    """
    given = {"--identifier-url": options.identifier_url, "--identifier-ca": options.identifier_ca}
    flags = [part for flag, value in given.items() if value is not None for part in (flag, value)]
    return IdentifierAddress.load(flags)
