"""Signatures of webhooks, after Standard Webhooks 1.0.0.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md:
HMAC-SHA-256 over `{webhook-id}.{webhook-timestamp}.{body}`, base64, prefixed `v1,`; a secret is
`whsec_` and the base64 of 24 to 64 random bytes. Several signatures, one per secret and separated
by a space, let a receiver change to a new secret without missing anything.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence

from services.errors import SettingsError

_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """The keys of WEBHOOK_SECRET: one, or several separated by commas or blanks, newest first.

    Raises:
        SettingsError: one of them is no secret of that form.
    """
    keys = tuple(_key(part) for part in re.split(r"[,\s]+", text) if part)
    if not keys:
        raise SettingsError(_SAYS)
    return keys


def sign(keys: Sequence[bytes], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The header `webhook-signature`.

    Args:
        keys: as `parse_secrets` gives them.
        message_id: the header `webhook-id`; has no full stop in it.
        timestamp_s: the header `webhook-timestamp`, seconds since 1970.
        body: as it is sent.
    """
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    digests = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(_PREFIX) or len(key) not in _KEY_BYTES:
        raise SettingsError(_SAYS)
    return key


_SAYS = (
    "WEBHOOK_SECRET: expected whsec_ and the base64 of 24 to 64 random bytes, as of "
    'echo "whsec_$(openssl rand -base64 32)"'
)
