"""Which addresses are open to all, which are pages, and what the streams' need."""

from __future__ import annotations

from typing import Final

from viewer.access.csrf import SAFE_METHODS
from viewer.access.proxies import header
from viewer.asgi import Scope

_OPEN_PATHS: Final = ("/login", "/healthz", "/favicon.ico", "/robots.txt")
_OPEN_FOLDER: Final = "/assets/"
_STREAM_SCOPES: Final = (
    ("/stream/", "streams"),
    ("/snapshot/", "streams"),
    ("/face/", "streams"),
    ("/live", "streams"),
    ("/api/state.json", "streams"),
    ("/events", "read"),
    ("/push/", "push"),
)


def is_open(path: str) -> bool:
    """Whether a path is for everyone who reaches the site: the login and what it looks like."""
    return path in _OPEN_PATHS or is_asset(path)


def is_asset(path: str) -> bool:
    """Whether a path is what pages are made of: the same for everyone, and nobody's secret."""
    return path.startswith(_OPEN_FOLDER)


def scope_for(path: str) -> str | None:
    """What one needs for a path that Flask does not answer; None for a page: it says itself."""
    for prefix, scope in _STREAM_SCOPES:
        if path == prefix or (prefix.endswith("/") and path.startswith(prefix)):
            return scope
    return None


def is_stream(path: str) -> bool:
    """Whether a path is answered by the streams, as long as somebody watches."""
    return scope_for(path) is not None


def is_page(scope: Scope) -> bool:
    """Whether a browser shows the answer as a page: it can be sent to log in."""
    if is_stream(scope["path"]) or scope["method"] not in (*SAFE_METHODS, "POST"):
        return False
    return "text/html" in header(scope, "accept").lower()
