"""Takes the pictures of docs/images: `python scripts/screenshots.py http://127.0.0.1:5010`.

What is shown is whatever runs there; people on committed pictures must have agreed to it or be free
to show. Needs Chromium and what `make test` installs. Behind a login, FACESTREAM_PASSWORD is that
of the user `admin`; without one the pages of the account and of the users show little.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, Page, StorageState, sync_playwright

_FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
_SETTLE_MS = 4_000


class Shot(NamedTuple):
    """What is taken: a page, or the one that the first such link on it leads to, and `then`."""

    path: str
    width: int
    height: int
    scheme: Literal["light", "dark"] = "light"
    link: str | None = None
    then: str = ""


_SHOTS = {
    "login": Shot("/login", 1_280, 560),
    "live": Shot("/", 1_440, 900, "dark"),
    "live-phone": Shot("/", 390, 844),
    "camera": Shot("/", 1_280, 900, "dark", ".tile:has([data-field='who']:not(:empty)) .frame"),
    "people": Shot("/people", 1_280, 640),
    "person": Shot("/people", 1_280, 1_000, "light", "#people-list a"),
    "erase": Shot("/people", 1_280, 640, "light", "#people-list a", "/erase"),
    "unknown": Shot("/unknown", 1_280, 520),
    "sightings": Shot("/sightings", 1_280, 860),
    "sightings-phone": Shot("/sightings", 390, 844, "dark"),
    "sighting": Shot("/sightings?who=named", 1_280, 940, "dark", ".timeline a, #timeline a"),
    "lanes": Shot("/sightings?view=lanes&period=7d", 1_280, 620),
    "figures": Shot("/sightings?view=figures&period=7d", 1_280, 900),
    "cameras": Shot("/cameras", 1_280, 560),
    "system": Shot("/system", 1_280, 900, "dark"),
    "account": Shot("/account", 1_280, 800),
    "users": Shot("/users", 1_280, 1_000),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Take them all, or those named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("url", help="address of a running page")
    parser.add_argument("names", nargs="*", help="of pictures; all unless given")
    given = parser.parse_args(argv)
    url, wanted = given.url.rstrip("/"), given.names or list(_SHOTS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=_ARGUMENTS
        )
        visitor = _logged_in(browser, url, os.environ.get("FACESTREAM_PASSWORD"))
        for name in wanted:
            shot = _SHOTS[name]
            page = _open(browser, url, shot, None if name == "login" else visitor)
            if shot.link is not None:
                page.locator(shot.link).first.click()
            if shot.then:
                page.goto(page.url + shot.then)
            _take(page, name)
        browser.close()
    return 0


def _logged_in(browser: Browser, url: str, password: str | None) -> StorageState | None:
    if password is None:
        return None
    page = _open(browser, url, _SHOTS["login"])
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda now: "/login" not in now)
    return page.context.storage_state()


def _open(browser: Browser, url: str, shot: Shot, visitor: StorageState | None = None) -> Page:
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme=shot.scheme,
        storage_state=visitor,
    )
    page = context.new_page()
    page.goto(url + shot.path)
    return page


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(_SETTLE_MS)
    path = _FOLDER / f"{name}.jpg"
    page.screenshot(path=path, type="jpeg", quality=84)
    page.context.close()
    print(f"{path.relative_to(_FOLDER.parent.parent)}  {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    raise SystemExit(main())
