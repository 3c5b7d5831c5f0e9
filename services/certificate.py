"""Certificates, looked at before anything starts: those a server shows, those a client trusts."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.words import Say, say_from

Trust = ssl.SSLContext | bool
"""What `verify` is to httpx: True trusts the public authorities that it carries."""

# The codes of OpenSSL's x509_vfy.h that end where no authority is known; 7 is where one of the same
# name, as every installation has, is another.
_NOBODY_VOUCHES = frozenset({2, 7, 18, 19, 20, 21})
_ANOTHER_NAME = frozenset({62, 64})

DISTRUST: Final[Mapping[str, str]] = {
    "another_name": "its certificate is for another name ({why})",
    "nobody_vouches": (
        "its certificate is not trusted ({why}): set {variable} to the certificate (PEM) of the "
        "authority that made it"
    ),
    "does_not_hold": "its certificate does not hold ({why})",
    "no_tls": "TLS with it fails ({why})",
    "no_reason": "no reason given",
}
"""Why there is no TLS to a server; the page has a text of its own under each of these keys."""
_in_english = say_from(DISTRUST)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where a certificate chain and its private key lie; both PEM."""

    chain: Path
    key: Path

    @classmethod
    def of(cls, chain: Path | None, key: Path | None) -> Certificate | None:
        """What to serve TLS with; None where one half, or both, are not given."""
        return None if chain is None or key is None else cls(chain, key)

    def server_context(self) -> ssl.SSLContext:
        """A server's side of TLS.

        Raises:
            OSError: a file cannot be read any more, or they do not belong together.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # An empty password: without one, a key that has one would be asked for on the terminal.
        context.load_cert_chain(self.chain, self.key, password="")
        return context


def check_certificate(prefix: str, chain: Path | None, key: Path | None) -> None:
    """Make sure that both are given, or neither, and can be served with.

    Args:
        prefix: of the variables: `VIEWER_TLS` for `VIEWER_TLS_CERT` and `VIEWER_TLS_KEY`.
        chain: what the first says.
        key: what the second says.

    Raises:
        ValueError: one line that names the variable and says what is wrong.
    """
    cert_name, key_name = f"{prefix}_CERT", f"{prefix}_KEY"
    if chain is None and key is None:
        return
    if chain is None:
        raise ValueError(f"{cert_name}= is missing: {key_name}={key} has its key")
    if key is None:
        raise ValueError(f"{key_name}= is missing: {cert_name}={chain} needs its key")
    for variable, path in ((cert_name, chain), (key_name, key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise ValueError(f"{variable}={path}: {error.strerror}") from None
    try:
        Certificate(chain, key).server_context()
    except ssl.SSLError as error:
        reason = _reason(error, "not a certificate and its key")
        raise ValueError(f"{cert_name}={chain}, {key_name}={key}: {reason}") from None


def check_authority(path: Path | None) -> Path | None:
    """Make sure that certificates to trust can be read.

    Raises:
        ValueError: says what is wrong, without the name of the variable.
    """
    if path is None:
        return None
    try:
        path.read_bytes()
    except OSError as error:
        raise ValueError(error.strerror) from None
    try:
        trust(path)
    except ssl.SSLError:
        raise ValueError("no certificate in PEM is in it") from None
    return path


def trust(authority: Path | None) -> Trust:
    """Whom a client is to believe; names are verified in any case.

    Args:
        authority: certificates (PEM) to trust instead of the public ones; None for those.
    """
    return True if authority is None else ssl.create_default_context(cafile=authority)


def distrust(error: BaseException, variable: str, say: Say = _in_english) -> str | None:
    """Why there is no TLS to a server; None where the error is about anything else.

    Args:
        error: what a client's library said.
        variable: the setting that names the authority to trust.
        say: gives the words, by the keys of `DISTRUST`.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message.rstrip(".")
            if cause.verify_code in _ANOTHER_NAME:
                return say("another_name", why=why)
            if cause.verify_code in _NOBODY_VOUCHES:
                return say("nobody_vouches", why=why, variable=variable)
            return say("does_not_hold", why=why)
        if isinstance(cause, ssl.SSLError):
            return say("no_tls", why=_reason(cause, say("no_reason")))
    return None


def _reason(error: ssl.SSLError, otherwise: str) -> str:
    # Those that Python makes itself have none.
    reason: str | None = getattr(error, "reason", None)
    return reason.lower().replace("_", " ") if reason else otherwise


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it, the outermost first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
