"""The certificate of the page, looked at before anything starts."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where a certificate chain and its private key lie; both PEM."""

    chain: Path
    key: Path


def check_certificate(chain: Path | None, key: Path | None) -> None:
    """Make sure that both are given, or neither, and can be served with.

    Raises:
        ValueError: one line that names the variable and says what is wrong.
    """
    if chain is None and key is None:
        return
    if chain is None:
        raise ValueError(f"VIEWER_TLS_CERT= is missing: VIEWER_TLS_KEY={key} has its key")
    if key is None:
        raise ValueError(f"VIEWER_TLS_KEY= is missing: VIEWER_TLS_CERT={chain} needs its key")
    for variable, path in (("VIEWER_TLS_CERT", chain), ("VIEWER_TLS_KEY", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise ValueError(f"{variable}={path}: {error.strerror}") from None
    try:
        # An empty password: without one, a key that has one would be asked for on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key, password="")
    except ssl.SSLError as error:
        reason = (error.reason or "not a certificate and its key").lower().replace("_", " ")
        raise ValueError(f"VIEWER_TLS_CERT={chain}, VIEWER_TLS_KEY={key}: {reason}") from None
