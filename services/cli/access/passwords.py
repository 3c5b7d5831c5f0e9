"""Where a new password comes from: typed twice, a file, or a pipe; never an argument."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path

from services.access import LONGEST_PASSWORD, check_password
from services.errors import RecordError, SettingsError


def new_password(file: Path | None = None) -> str:
    """Ask for a new password.

    Args:
        file: its first line is the password, `-` is the standard input; None asks at the
            terminal, twice, or reads the standard input where there is none.

    Raises:
        SettingsError: it cannot be read, was not the same twice, or is too short.
    """
    if file is None and sys.stdin.isatty():
        password = getpass("Password: ")
        if getpass("Again: ") != password:
            raise SettingsError("the two passwords are not the same")
    else:
        password = _first_line(file)
    try:
        check_password(password)
    except RecordError as error:
        raise SettingsError(str(error)) from None
    return password


def _first_line(file: Path | None) -> str:
    most = LONGEST_PASSWORD + 2
    if file is None or str(file) == "-":
        return sys.stdin.readline(most).rstrip("\r\n")
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.readline(most).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text"
        raise SettingsError(f"--password-file {file}: {why}") from None
