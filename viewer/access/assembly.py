"""Puts the gate and what pages need of it together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from viewer.access.csrf import CsrfTokens
from viewer.access.gate import Gate
from viewer.access.keys import load_key
from viewer.access.logins import Logins
from viewer.access.proxies import Proxies
from viewer.access.sessions import Sessions
from viewer.access.throttle import Throttle
from viewer.access.tokens import StreamTokens
from viewer.identifier import Identifier
from viewer.texts import Texts


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """What of the settings is about access.

    Attributes:
        data_dir: where the key is kept when there is no secret.
        password_hash: argon2 hash of the one user `admin`.
        users: whether the identifier's users may log in.
        secret: what the key is made of.
        trusted_proxies: addresses and networks whose forwarded headers are believed.
        own_hosts: names the site goes by, lower case.
    """

    data_dir: Path
    password_hash: str | None = field(default=None, repr=False)
    users: bool = False
    secret: str | None = field(default=None, repr=False)
    trusted_proxies: tuple[str, ...] = ()
    own_hosts: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Who is let in, and how."""

    gate: Gate
    sessions: Sessions
    logins: Logins
    throttle: Throttle
    stream_tokens: StreamTokens


def open_access(options: AccessOptions, identifier: Identifier, texts: Texts) -> Access:
    """The access to a site; `gate.close()` ends it.

    Raises:
        SettingsError: the secret cannot be used.
    """
    key = load_key(options.secret, options.data_dir)
    sessions, stream_tokens = Sessions(key), StreamTokens(key)
    logins = Logins(identifier, options.password_hash, users=options.users)
    gate = Gate(
        sessions,
        CsrfTokens(key),
        logins,
        stream_tokens,
        Proxies(options.trusted_proxies),
        texts,
        options.own_hosts,
    )
    return Access(gate, sessions, logins, Throttle(), stream_tokens)
