"""Certificates made on the spot: a self-signed one for localhost, an authority that makes more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.certificate import Certificate

_VALID = timedelta(hours=1)


def make_certificate(folder: Path, password: str | None = None) -> tuple[Path, Path]:
    """Write `cert.pem` and `key.pem`, self-signed; the key under a password, if one is given."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("localhost")
    certificate = _sign(key, name, key, name, ["localhost"], _VALID, authority=True)
    chain_path, key_path = folder / "cert.pem", folder / "key.pem"
    chain_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(_pem(key, password))
    return chain_path, key_path


class Authority:
    """Makes certificates; whoever trusts `file` trusts them.

    Args:
        folder: where everything is written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("an authority of these tests")
        own = _sign(self._key, self._name, self._key, self._name, [], _VALID, authority=True)
        self.file = folder / "ca.pem"
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def make(self, *names: str, valid: timedelta = _VALID) -> Certificate:
        """A certificate for these DNS names; of the past, where `valid` is below zero."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = _sign(self._key, self._name, key, _named(names[0]), names, valid)
        made = Certificate(self._folder / f"{names[0]}.pem", self._folder / f"{names[0]}.key")
        made.chain.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(_pem(key, None))
        return made


def _sign(
    issuer_key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    subject: x509.Name,
    names: Sequence[str],
    valid: timedelta,
    *,
    authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    unsigned = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + valid)
        .add_extension(
            x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True
        )
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        unsigned = unsigned.add_extension(alternatives, critical=False)
    return unsigned.sign(issuer_key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(key: ec.EllipticCurvePrivateKey, password: str | None) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode())
        if password
        else serialization.NoEncryption(),
    )
