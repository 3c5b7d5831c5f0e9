"""What the viewer can be told about who is let in."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from services.access import is_password_hash
from services.broker.settings import default_data_dir
from services.settings import CommaSeparated, ServiceSettings
from viewer.access.assembly import AccessOptions
from viewer.access.keys import SHORTEST_SECRET
from viewer.access.proxies import Proxies


class AccessSettings(ServiceSettings):
    """Login, sessions and proxies."""

    viewer_password_hash: SecretStr | None = Field(
        None,
        description="Argon2 hash of the password of the user `admin`; `facestream users hash` "
        "makes it. With neither this nor `VIEWER_USERS` the page is for this machine alone.",
    )
    viewer_users: bool = Field(
        False,
        description="Let users log in that the identifier keeps (`facestream users add`); the "
        "viewer's `IDENTIFIER_TOKEN` needs the scope `admin` then.",
    )
    viewer_secret: SecretStr | None = Field(
        None,
        min_length=SHORTEST_SECRET,
        description="What sessions and stream tokens are signed with, at least 16 characters; "
        "unset, a key in the file `viewer.key` of `DATA_DIR`.",
    )
    trusted_proxies: CommaSeparated = Field(
        (),
        description="Addresses and networks of reverse proxies, `a,b`, whose X-Forwarded-For, "
        "-Proto and -Host are believed.",
    )
    data_dir: Path | None = Field(
        None,
        description="Directory of the key; `${XDG_DATA_HOME:-~/.local/share}/facestream` when "
        "unset.",
    )

    @field_validator("viewer_password_hash")
    @classmethod
    def _a_hash(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not is_password_hash(value.get_secret_value()):
            raise ValueError(
                "is no argon2 hash ($argon2id$...): make one with facestream users hash"
            )
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        Proxies(value)
        return value

    @property
    def has_login(self) -> bool:
        """Whether one has to log in."""
        return self.viewer_password_hash is not None or self.viewer_users

    def access_options(self, own_hosts: frozenset[str] | None) -> AccessOptions:
        """What of the settings is about access.

        Args:
            own_hosts: names the site goes by, lower case.
        """
        hashed, secret = self.viewer_password_hash, self.viewer_secret
        return AccessOptions(
            data_dir=self.data_dir or default_data_dir(),
            password_hash=None if hashed is None else hashed.get_secret_value(),
            users=self.viewer_users,
            secret=None if secret is None else secret.get_secret_value(),
            trusted_proxies=self.trusted_proxies,
            own_hosts=own_hosts,
        )
