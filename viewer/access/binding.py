"""Where to listen: without a login, nowhere but on this machine."""

from __future__ import annotations

import ipaddress

LOOPBACK = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bound_host(host: str, *, has_login: bool) -> tuple[str, str | None]:
    """The address to bind.

    Args:
        host: what VIEWER_HOST says.
        has_login: whether VIEWER_PASSWORD_HASH or VIEWER_USERS is set.

    Returns:
        The address, and one line for the log where it is not the one that was asked for.
    """
    if has_login or is_loopback(host):
        return host, None
    return LOOPBACK, (
        f"VIEWER_HOST={host}, but there is no login, so that everyone who reaches the page could "
        f"watch and change everything: listening on {LOOPBACK} alone. Set VIEWER_PASSWORD_HASH "
        "(`facestream users hash` makes it) or VIEWER_USERS=true"
    )
