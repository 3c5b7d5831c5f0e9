"""Changes come from this site's own pages: what their forms carry, and what browsers say."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from urllib.parse import urlsplit

from viewer.access.keys import derive
from viewer.access.proxies import Origin, header
from viewer.asgi import Scope

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_OWN = ("same-origin", "none")


class CsrfTokens:
    """What every form of a session carries.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = derive(key, "csrf")

    def of(self, session_id: str) -> str:
        """The token of a session: 64 hexadecimal digits, the same as long as the session lasts."""
        return hmac.new(self._key, session_id.encode(), "sha256").hexdigest()


def same_token(given: str, expected: str) -> bool:
    """Whether a form carries what it should."""
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


def is_foreign(scope: Scope, origin: Origin, own_hosts: Collection[str] | None) -> bool:
    """Whether a browser says that a page of another site makes this request.

    `Sec-Fetch-Site` tells it for sure, but browsers send it to https and this machine only.
    `Origin: null` tells nothing: a page with `Referrer-Policy: no-referrer` sends it as well.

    Args:
        scope: the request.
        origin: where it comes from.
        own_hosts: names the site has besides what the browser asked for, lower case.
    """
    site = header(scope, "sec-fetch-site").lower()
    if site:
        return site not in _OWN
    sender = header(scope, "origin").lower()
    if sender in ("", "null"):
        return False
    try:
        found = urlsplit(sender)
    except ValueError:
        return True
    return found.netloc != origin.host and (found.hostname or "") not in (own_hosts or ())
