"""The page of the REST API in a browser: whole, local, and with the token asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import expect

from identifier.api.browse import browse_routes
from identifier.api.description import describe
from identifier.api.guard import Access, Guard
from identifier.api.problems import handle_problems
from identifier.api.server import ApiServer
from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.browser

TOKEN = "correct horse battery staple"


@pytest.fixture
def start() -> Iterator[Callable[[str | None], str]]:
    """Starts an API of one call, with its page; gives its address."""
    with ExitStack() as at_exit:

        def start_one(token: str | None) -> str:
            app = FastAPI(docs_url=None, redoc_url=None)
            handle_problems(app)

            @app.get("/api/v1/greeting")
            def greet() -> str:
                return "hello"

            app.include_router(browse_routes())
            describe(app, wants_token=token is not None)
            app.add_middleware(Guard, access=Access.on_loopback("127.0.0.1", token, 100_000))
            server = ApiServer(app, "127.0.0.1", 0)
            server.start()
            at_exit.callback(server.stop)
            return f"http://127.0.0.1:{server.port}/"

        yield start_one


def test_the_api_can_be_read_and_tried_without_anything_from_elsewhere(
    start: Callable[[str | None], str], open_page: OpenPage, screenshot: Callable[..., Path]
) -> None:
    page = open_page(start(None))
    page.click(".opblock-summary-control")
    page.click("button.execute")
    expect(page.locator(".live-responses-table .response .response-col_status")).to_have_text("200")
    expect(page.locator("button.authorize")).to_have_count(0)
    screenshot(page, "api-docs")


def test_where_the_api_wants_a_token_the_page_asks_for_it_and_passes_it_on(
    start: Callable[[str | None], str], open_page: OpenPage
) -> None:
    page = open_page(start(TOKEN), calm=False)  # the browser itself logs every 401
    page.fill("input[name=token]", "not the token")
    page.click("text=Show the API")
    expect(page.locator("#complaint")).to_have_text("That is not the token.")
    page.fill("input[name=token]", TOKEN)
    page.click("text=Show the API")
    page.click(".opblock-summary-control")
    page.click("button.execute")
    expect(page.locator(".live-responses-table .response .response-col_status")).to_have_text("200")
    expect(page.locator("button.authorize")).to_have_count(1)
