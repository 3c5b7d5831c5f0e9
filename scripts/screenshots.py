"""Takes the pictures of docs/images: `python scripts/screenshots.py http://127.0.0.1:5010`.

What is shown is whatever runs there; people on committed pictures must have agreed to it or be free
to show. Needs Chromium and what `make test` installs.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

_FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
_SETTLE_MS = 4_000
_SHOTS: dict[str, tuple[str, int, int, str]] = {
    "live": ("/", 1_440, 900, "dark"),
    "live-phone": ("/", 390, 844, "light"),
    "people": ("/people", 1_280, 640, "light"),
    "unknown": ("/unknown", 1_280, 520, "light"),
    "sightings": ("/sightings", 1_280, 860, "light"),
    "sightings-phone": ("/sightings", 390, 844, "dark"),
    "lanes": ("/sightings?view=lanes&period=7d", 1_280, 620, "light"),
    "figures": ("/sightings?view=figures&period=7d", 1_280, 900, "light"),
    "cameras": ("/cameras", 1_280, 560, "light"),
    "system": ("/system", 1_280, 900, "dark"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Take them all, or those named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("url", help="address of a running page, without login")
    parser.add_argument("names", nargs="*", help="of pictures; all unless given")
    given = parser.parse_args(argv)
    url, wanted = given.url.rstrip("/"), given.names or [*_SHOTS, "person", "sighting", "login"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=_ARGUMENTS
        )
        for name in wanted:
            if name in _SHOTS:
                path, width, height, scheme = _SHOTS[name]
                page = _open(browser, url + path, width, height, scheme)
            elif name == "person":
                page = _open(browser, f"{url}/people", 1_280, 1_000, "light")
                page.locator("#people-list a").first.click()
            elif name == "sighting":
                page = _open(browser, f"{url}/sightings?who=named", 1_280, 940, "dark")
                page.locator(".timeline a, #timeline a").first.click()
            else:
                page = _open(browser, f"{url}/login", 1_280, 560, "light")
            _take(page, name)
        browser.close()
    return 0


def _open(browser: Browser, url: str, width: int, height: int, scheme: str) -> Page:
    dark = scheme == "dark"
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    page.goto(url)
    return page


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(_SETTLE_MS)
    path = _FOLDER / f"{name}.jpg"
    page.screenshot(path=path, type="jpeg", quality=84)
    page.context.close()
    print(f"{path.relative_to(_FOLDER.parent.parent)}  {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    raise SystemExit(main())
