"""The viewer's secret: what it signs cookies and stream tokens with."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

import structlog

from services.errors import SettingsError

log = structlog.get_logger()

KEY_FILE = "viewer.key"
SHORTEST_SECRET = 16
_KEY_BYTES = 32


def load_key(secret: str | None, data_dir: Path) -> bytes:
    """The key: made from VIEWER_SECRET, or out of a file that is made on the first start.

    Viewers that share a secret, or a data directory, take each other's cookies and tokens.

    Args:
        secret: what VIEWER_SECRET says; None for the file.
        data_dir: where the file is; only its owner may read it.

    Returns:
        32 bytes.

    Raises:
        SettingsError: the secret is too short, or the file is no key.
    """
    if secret is not None:
        if len(secret) < SHORTEST_SECRET:
            raise SettingsError(
                f"VIEWER_SECRET=(secret): at least {SHORTEST_SECRET} characters are needed"
            )
        return hashlib.sha256(secret.encode()).digest()
    file = data_dir / KEY_FILE
    try:
        key = file.read_bytes() if file.exists() else _make(file)
    except OSError as error:
        log.warning(
            "no place to keep the key: logins and stream tokens end when the viewer does",
            file=str(file),
            why=error.strerror,
        )
        return secrets.token_bytes(_KEY_BYTES)
    if len(key) != _KEY_BYTES:
        raise SettingsError(f"{file}: is no key of {_KEY_BYTES} bytes; remove it to get a new one")
    return key


def derive(key: bytes, purpose: str) -> bytes:
    """A key for one purpose alone; nobody finds another's from it."""
    return hmac.digest(key, purpose.encode(), "sha256")


def _make(file: Path) -> bytes:
    """Write a new key, whole or not at all; several viewers that start at once agree on one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_bytes(_KEY_BYTES))
            opened.flush()
            os.fsync(opened.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()
    return file.read_bytes()
