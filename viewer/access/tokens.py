"""Signed stream tokens: one channel, for a while, for an `<img>` on another page."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from viewer.access.keys import derive

DEFAULT_S = 3_600
LONGEST_S = 30 * 86_400

_PATH = re.compile(r"/(?:stream|snapshot)/(?P<person>person/)?(?P<name>[^/]+)\.(?:mjpg|jpg)")
_HEAD = struct.Struct(">BQ")
_BLURRED = 1
_MAC_BYTES = 24
_TOKEN_CHARACTERS = 4 * (_HEAD.size + _MAC_BYTES) // 3


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token that holds lets one see.

    Attributes:
        expires_s: Unix time.
        blur: whether unknown faces are shown only blurred.
    """

    expires_s: int
    blur: bool


class StreamTokens:
    """Makes and checks tokens. Nothing is kept of them: until it expires, a token holds.

    Args:
        key: 32 bytes; another one ends every token.
        clock: Unix time.
    """

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key = derive(key, "stream")
        self._clock = clock

    def sign(
        self, channel: str, seconds: int = DEFAULT_S, *, blur: bool = False
    ) -> tuple[str, Grant]:
        """Make a token.

        Args:
            channel: `camera/<name>` or `person/<slug>`.
            seconds: how long it holds, 1 to `LONGEST_S`.
            blur: whether it shows unknown faces only blurred.

        Returns:
            The token, safe in an address, and what it grants.
        """
        lasts_s = min(max(1, seconds), LONGEST_S)
        grant = Grant(int(self._clock()) + lasts_s, blur)
        head = _HEAD.pack(_BLURRED if blur else 0, grant.expires_s)
        return base64.urlsafe_b64encode(head + self._mac(head, channel)).decode(), grant

    def check(self, token: str, channel: str) -> Grant | None:
        """What a token lets one see of a channel; None for nothing."""
        if len(token) != _TOKEN_CHARACTERS:
            return None
        try:
            data = base64.b64decode(token.encode(), b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        head, mac = data[: _HEAD.size], data[_HEAD.size :]
        if not hmac.compare_digest(mac, self._mac(head, channel)):
            return None
        flags, expires_s = _HEAD.unpack(head)
        if self._clock() >= expires_s:
            return None
        return Grant(expires_s, bool(flags & _BLURRED))

    def _mac(self, head: bytes, channel: str) -> bytes:
        return hmac.digest(self._key, head + channel.encode("utf-8", "replace"), "sha256")[
            :_MAC_BYTES
        ]


def channel_of(path: str) -> str | None:
    """The channel that a stream's or snapshot's path shows; None for any other path."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    return f"{'person' if match['person'] else 'camera'}/{match['name']}"


def stream_path(channel: str) -> str:
    """Where a channel is streamed."""
    kind, _, name = channel.partition("/")
    return f"/stream/{'person/' if kind == 'person' else ''}{name}.mjpg"
