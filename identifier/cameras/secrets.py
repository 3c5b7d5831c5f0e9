"""Addresses of cameras at rest: encrypted and authenticated with Fernet (AES-128-CBC, HMAC-SHA256).

Whoever reads the database alone, or a backup of it, learns no password of a camera.
"""

from __future__ import annotations

import os
import secrets
import threading
from pathlib import Path

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from services.errors import RecordError, SettingsError

log = structlog.get_logger()

KEY_FILE = "camera.key"
_OTHERS = 0o077


class AddressUnreadable(RecordError):  # noqa: N818 - a state of the record
    """An address was encrypted with a key that is not here."""

    def __init__(self) -> None:
        super().__init__(
            "address-unreadable",
            "the address was encrypted with another CAMERA_KEY: set that key again, "
            "or give the address again",
        )


class AddressBox:
    """Encrypts addresses, and decrypts them; safe to use from any thread.

    Args:
        key: `CAMERA_KEY`: one Fernet key (32 bytes, base64), or several separated by commas, of
            which the first encrypts and all decrypt. None takes the key from `key_file`.
        key_file: made with a random key when it is first needed, readable by its owner alone.

    Raises:
        SettingsError: the key is none.
    """

    def __init__(self, key: str | None, key_file: Path) -> None:
        self._key_file = key_file
        self._lock = threading.Lock()
        self._cipher = None if key is None else _cipher(key, "CAMERA_KEY")

    def seal(self, address: str) -> str:
        """Encrypt an address.

        Raises:
            SettingsError: the key file cannot be read or made.
        """
        return self._opened().encrypt(address.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """Decrypt an address.

        Raises:
            AddressUnreadable: another key encrypted it.
            SettingsError: the key file cannot be read or made.
        """
        try:
            return self._opened().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise AddressUnreadable from None

    def can_open(self, sealed: str) -> bool:
        """Whether an address can be decrypted."""
        try:
            self.open(sealed)
        except (AddressUnreadable, SettingsError):
            return False
        return True

    def _opened(self) -> MultiFernet:
        with self._lock:
            if self._cipher is None:
                self._cipher = _cipher(_kept_key(self._key_file), str(self._key_file))
            return self._cipher


def _cipher(keys: str, where: str) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key.strip()) for key in keys.split(",") if key.strip()])
    except ValueError:
        raise SettingsError(
            f"{where} is no key: 32 random bytes in URL-safe base64, as "
            "head -c 32 /dev/urandom | base64 | tr +/ -_ gives them"
        ) from None


def _kept_key(path: Path) -> str:
    try:
        if not path.exists():
            _make(path)
        if path.stat().st_mode & _OTHERS:
            log.warning("the key of camera addresses is readable by others", path=str(path))
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        words = (error.strerror if isinstance(error, OSError) else None) or "not a key"
        raise SettingsError(f"{path}: {words}; set CAMERA_KEY or CAMERA_KEY_FILE") from None


def _make(path: Path) -> None:
    """Make the key whole or not at all: several identifiers may begin at once, one key stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(mine)
        except FileExistsError:
            return
        log.info("made a key for the addresses of cameras: keep a copy", path=str(path))
    finally:
        mine.unlink()
