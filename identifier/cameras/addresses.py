"""Which addresses a camera may have when it is added over the network."""

from __future__ import annotations

import re

from identifier.cameras.tables import LONGEST_ADDRESS
from services.addresses import host_of, is_link_local, is_network, redact
from services.errors import RecordError

_ODD = re.compile(r"[\x00-\x20\x7f]")


def check_address(address: str, *, files: bool) -> None:
    """Refuse an address that producers must not open, or that can never work.

    Args:
        address: as somebody wrote it.
        files: whether paths of files and devices on the producers' machines are allowed.

    Raises:
        RecordError: `bad-address`, in one sentence that shows no login.
    """
    if not address or len(address) > LONGEST_ADDRESS:
        raise RecordError("bad-address", f"an address has 1 to {LONGEST_ADDRESS} characters")
    if not is_network(address):
        if files and "\x00" not in address and "://" not in address.removeprefix("file://"):
            return
        raise RecordError(
            "bad-address",
            "an address begins with rtsp://, rtsps://, http:// or https://",
        )
    host = host_of(address)
    if not host or _ODD.search(address):
        raise RecordError(
            "bad-address",
            f"{_shown(address)} is not scheme://[user:password@]host[:port]/path; write special "
            "characters of a password as %XX",
        )
    if is_link_local(host):
        raise RecordError(
            "bad-address", "no camera is at a link-local address, and credentials of clouds are"
        )


def _shown(address: str) -> str:
    return redact(_ODD.sub("", address))
