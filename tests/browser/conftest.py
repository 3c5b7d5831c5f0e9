"""Debian's Chromium, driven by Playwright, and a place for the pictures it takes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.conftest import ROOT, require_or_skip
from tests.integration.viewer.conftest import camera, jpegs, producer, settings, viewer

__all__ = [
    "camera",
    "jpegs",
    "producer",
    "settings",
    "viewer",
]

# What a page shows sooner or later, it is waited for as long as only a defect takes.
expect.set_options(timeout=60_000)

SCREENSHOTS = ROOT / "build" / "screenshots"
DESKTOP = (1_440, 900)
PHONE = (390, 844)
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless browser; not for the session: its event loop would run through all other tests."""
    path = shutil.which("chromium")
    require_or_skip(path is not None, "no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER_ARGUMENTS)
        yield browser
        browser.close()


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    """Opens pages: `open_page(url, size=DESKTOP, scheme="dark", script=True, calm=True)`.

    The test fails on an error in the console of a `calm` page and on a request to anywhere else.
    """
    problems: list[str] = []
    contexts = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            problems.append(message.text)

    def open_(
        url: str, size: tuple[int, int] = DESKTOP, scheme: str = "dark", **options: bool
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="light" if scheme == "light" else "dark",
            java_script_enabled=options.get("script", True),
        )
        contexts.append(context)
        page = context.new_page()
        if options.get("calm", True):
            page.on("console", note)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("http://127.0.0.1:", "blob:http://127.0.0.1:"))
                else problems.append(f"request to {request.url}")
            ),
        )
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def screenshot(request: pytest.FixtureRequest) -> Callable[..., Path]:
    """Keeps a picture of a page under build/screenshots: `screenshot(page, "live")`."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str, *, whole: bool = False) -> Path:
        test = re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))[:60]
        path = SCREENSHOTS / f"{name}--{test}.png"
        page.screenshot(path=path, full_page=whole)
        return path

    return take
