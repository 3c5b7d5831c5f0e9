"""Addresses of network cameras: whether one can work, and how it is shown without its login."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
NETWORK_SCHEMES = frozenset({"rtsp", "rtsps", "http", "https"})

# Where clouds hand a machine its credentials, besides the link-local range.
_METADATA_IPV6 = ipaddress.ip_address("fd00:ec2::254")


def redact(uri: str) -> str:
    """An address as logs may show it: no user, no password, no query.

    Everything up to the last `@` goes, so that a password with a stray `/` goes whole; with a
    `?` before it nobody can say which is which, and all of it goes.
    """
    match = SCHEME.search(uri)
    if match is None:
        return uri
    scheme, rest = uri[: match.start(2)], match[2]
    login, at, place = rest.rpartition("@")
    if "?" in login:
        return f"{scheme}***"
    path, question, _query = place.partition("?")
    return scheme + ("***@" if at else "") + path + ("?***" if question else "")


def is_network(uri: str) -> bool:
    """Whether an address leads to a camera on a network."""
    match = SCHEME.match(uri)
    return match is not None and match[1].lower() in NETWORK_SCHEMES


def host_of(uri: str) -> str:
    """The host of a network address, without brackets; empty where the address makes no sense."""
    try:
        parts = urlsplit(uri)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return ""
    return (parts.hostname or "") if usable else ""


def is_link_local(host: str) -> bool:
    """Whether a host, written as a number, is of the kind that clouds keep credentials at.

    169.254.0.0/16 and fe80::/10, however they are written. A name is not looked up.
    """
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            # The resolver takes 2852039166 and 0xa9fea9fe for 169.254.169.254, so must we.
            found = ipaddress.ip_address(socket.inet_aton(host))
        except OSError:
            return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_link_local) or found == _METADATA_IPV6
