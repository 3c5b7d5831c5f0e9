"""Pictures of people in answers: shown by who asked, kept by no cache on the way."""

from __future__ import annotations

PICTURE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cache-Control": "private, no-cache",
}
