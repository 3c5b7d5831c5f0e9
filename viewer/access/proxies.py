"""Where a request comes from, also when a reverse proxy stands between."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from viewer.asgi import Scope

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_FORWARDED = (
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "forwarded",
    "x-real-ip",
    "via",
)
_FROM_ANOTHER_SITE = ("cross-site", "same-site")
_LONGEST = 1_024
_IPV6_SITE_BITS = 64


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from.

    Attributes:
        address: of the browser, or of whatever the browser's address is hidden behind.
        scheme: `http` or `https`, as the browser sees it.
        host: what the browser asked for, with the port where it is not the scheme's own.
    """

    address: str
    scheme: str
    host: str

    @property
    def url(self) -> str:
        """The site's address as the browser sees it."""
        return f"{self.scheme}://{self.host}"


class Proxies:
    """The reverse proxies whose word is taken; everyone else's forwarded headers are not.

    Args:
        trusted: addresses and networks, as in TRUSTED_PROXIES.

    Raises:
        ValueError: one is neither.
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._networks = tuple(ipaddress.ip_network(text, strict=False) for text in trusted)

    def origin(self, scope: Scope) -> Origin:
        """Where a request comes from."""
        address = (scope.get("client") or ("127.0.0.1", 0))[0]
        scheme, host = scope.get("scheme", "http"), header(scope, "host")
        if self._trusts(address):
            address = self._browser(address, header(scope, "x-forwarded-for"))
            told = _last(header(scope, "x-forwarded-proto")).lower()
            scheme = told if told in ("http", "https") else scheme
            host = _last(header(scope, "x-forwarded-host")) or host
        return Origin(address, scheme, host.lower())

    def _browser(self, nearest: str, chain: str) -> str:
        """The last address in the chain that is no proxy of ours."""
        for hop in map(str.strip, reversed(chain.split(","))):
            if _address(hop) is None:
                return nearest
            nearest = hop
            if not self._trusts(hop):
                return nearest
        return nearest

    def _trusts(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._networks)


def is_forwarded(scope: Scope) -> bool:
    """Whether a request says that a proxy sent it on, or gives it away.

    A proxy that says nothing of itself asks for its own address of this machine, and hands on that
    the browser's page is of another one. A page of another site is told from that by
    `Sec-Fetch-Site`, where the browser sends it. A proxy may hide this too.
    """
    if any(header(scope, name) for name in _FORWARDED):
        return True
    if header(scope, "sec-fetch-site").lower() in _FROM_ANOTHER_SITE:
        return False
    host = header(scope, "host").lower()
    return any(_is_elsewhere(header(scope, name), host) for name in ("origin", "referer"))


def site_of(address: str) -> str:
    """An address; of IPv6 the network, in which one browser has as many as it likes."""
    found = _address(address)
    if found is None:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, _IPV6_SITE_BITS), strict=False))


def header(scope: Scope, name: str) -> str:
    """The first header of a name; empty where there is none."""
    wanted = name.encode()
    for key, value in scope.get("headers", ()):
        if key == wanted:
            text: str = value.decode("latin-1")
            return text
    return ""


def _is_elsewhere(url: str, host: str) -> bool:
    try:
        found = urlsplit(url.lower()).netloc
    except ValueError:
        return True
    return found not in ("", host)


def _last(text: str) -> str:
    return text[:_LONGEST].rpartition(",")[2].strip()


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
