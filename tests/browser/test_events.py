"""What happens comes to every page in view, whatever happens to the connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from services.access import hash_password
from services.broker.memory import MemoryBroker
from services.kafka.clients import make_producer
from tests.browser.conftest import OpenPage
from tests.browser.sightings_fixtures import Past, served_past, started, utc_now
from tests.browser.test_page import picture_of, pixels
from tests.footage import FakeCamera, clip_jpegs
from tests.integration.viewer.conftest import RunningViewer, wait_until
from tests.integration.viewer.test_viewer import known, playing
from viewer.settings import ViewerSettings

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
# A headless browser has every page in view.
HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with MemoryBroker() as running:
        yield running.bootstrap_servers


@pytest.fixture(scope="module")
def past(broker: str, test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    folder = tmp_path_factory.mktemp("events")
    with served_past(broker, "events-", folder, clip_jpegs(test_data)) as made:
        yield made


@pytest.fixture(scope="module")
def viewer(broker: str, past: Past) -> Iterator[RunningViewer]:
    with started(broker, past, STALE_AFTER_S="60") as running:
        yield running


@pytest.fixture
def place() -> str:
    """A camera that only this test has."""
    return f"room-{time.time_ns()}"


def come(past: Past, place: str, key: str) -> None:
    """Somebody is seen, and there is an event of it."""
    past.write(past.see(f"{place}-{key}", utc_now(), camera=place))


def listening(page: Page, as_what: str = "facestream.events") -> None:
    """Waits until events would reach a page, or another of its browser for it."""
    held = """async (name) => {
      const { held } = await navigator.locks.query();
      return held.some((each) => each.name === name);
    }"""
    wait_until(lambda: page.evaluate(held, as_what))
    # What the page asked before is answered before.
    assert page.evaluate(
        """async () => {
          const probe = new AbortController();
          const answer = await fetch("/events", { signal: probe.signal });
          probe.abort();
          return answer.ok;
        }"""
    )


def seen(page: Page, count: int) -> None:
    expect(page.locator("[data-sighting]")).to_have_count(count)


def beside(context: BrowserContext, url: str) -> Page:
    """One more tab of the same browser."""
    page = context.new_page()
    page.goto(url)
    return page


@pytest.mark.parametrize("status", [502, 503])
def test_a_refusal_ends_nothing_and_what_came_meanwhile_is_shown(
    viewer: RunningViewer, past: Past, place: str, open_page: OpenPage, status: int
) -> None:
    page = open_page(f"{viewer.url}/account", calm=False)  # the browser itself logs every 502
    refusing = True

    def events(route: Route) -> None:
        if refusing:
            route.fulfill(status=status, body="Bad Gateway")
        else:
            route.continue_()

    page.route("**/events", events)
    with page.expect_response("**/events"):
        page.goto(f"{viewer.url}/sightings?camera={place}")
    come(past, place, "meanwhile")
    refusing = False
    seen(page, 1)
    come(past, place, "later")
    seen(page, 2)


def test_a_viewer_that_is_away_is_asked_less_and_less_often_but_twice_a_minute(
    viewer: RunningViewer, open_page: OpenPage
) -> None:
    page = open_page(f"{viewer.url}/account", calm=False)
    page.route("**/events", lambda route: route.fulfill(status=502))
    page.clock.install()

    def now() -> float:
        moment: float = page.evaluate("performance.now() / 1000")
        return moment

    with page.expect_response("**/events"):
        page.goto(f"{viewer.url}/sightings")
    waits = []
    for _ in range(6):
        began_s = now()
        with page.expect_request("**/events") as request:
            while not request.is_done():
                page.clock.run_for(500)
                page.wait_for_timeout(50)
        waits.append(now() - began_s)
    assert min(waits) >= 2
    assert max(waits) <= 31
    assert max(waits[3:]) > waits[0]


def test_who_is_logged_out_elsewhere_is_led_to_the_login_and_loses_nothing_typed(
    broker: str, past: Past, open_page: OpenPage
) -> None:
    with started(broker, past, VIEWER_PASSWORD_HASH=hash_password(PASSWORD)) as locked:
        writing = open_page(f"{locked.url}/sightings", calm=False)
        writing.get_by_label("Name").fill("admin")
        writing.get_by_label("Password").fill(PASSWORD)
        writing.get_by_role("button", name="Log in").click()
        writing.wait_for_url("**/sightings")
        writing.get_by_label("Person").fill("Ada")
        reading = beside(writing.context, f"{locked.url}/unknown?ignored")
        leaving = beside(writing.context, f"{locked.url}/account")
        leaving.locator("main").get_by_role("button", name="Log out").click()
        reading.wait_for_url("**/login?next=%2Funknown%3Fignored")
        notice = writing.get_by_role("alert").filter(has_text="You are logged out")
        expect(notice).to_be_visible()
        expect(writing.get_by_label("Person")).to_have_value("Ada")
        notice.get_by_role("link", name="Log in").click()
        writing.wait_for_url("**/login?next=%2Fsightings")


def test_eight_tabs_in_view_all_load_move_and_hear_of_everything(
    viewer: RunningViewer, broker: str, past: Past, place: str, open_page: OpenPage
) -> None:
    settings = ViewerSettings.load([], {"KAFKA_BOOTSTRAP_SERVERS": broker})
    topic = settings.topic_identified
    cameras = [FakeCamera(make_producer(settings), topic, f"cam{n}", past.jpegs) for n in range(2)]
    with playing(*cameras, fps=6, most_s=120):
        wait_until(lambda: known(viewer, "cam0", "cam1"))
        first = open_page(f"{viewer.url}/sightings?camera={place}")
        tabs = first.context
        lives = [beside(tabs, viewer.url) for _ in range(5)]
        others = [
            beside(tabs, f"{viewer.url}/sightings?camera={place}"),
            beside(tabs, f"{viewer.url}/unknown"),
        ]
        for live in lives:
            image = picture_of(live, "camera:cam1")
            first_picture = pixels(image)
            wait_until(lambda: pixels(image) not in ("", first_picture))  # noqa: B023 - at once
        listening(first)
        come(past, place, "one")
        for sightings in (first, others[0]):
            seen(sightings, 1)
        for live in lives:
            expect(live.locator("#lately")).to_contain_text(place)

        # The one whose connection it is goes; nobody else misses anything.
        first.close()
        come(past, place, "two")
        seen(others[0], 2)
        come(past, place, "three")
        seen(others[0], 3)


def test_a_frozen_tab_keeps_nothing_from_the_others(
    viewer: RunningViewer, past: Past, place: str, open_page: OpenPage
) -> None:
    address = f"{viewer.url}/sightings?camera={place}"
    first = open_page(address)
    listening(first)
    second = beside(first.context, address)
    first.context.new_cdp_session(first).send("Page.setWebLifecycleState", {"state": "frozen"})
    come(past, place, "one")
    seen(second, 1)
    come(past, place, "two")
    seen(second, 2)


def test_a_tab_out_of_view_has_no_connection_and_catches_up_when_it_is_back(
    viewer: RunningViewer, past: Past, place: str, open_page: OpenPage
) -> None:
    address = f"{viewer.url}/sightings?camera={place}"
    page = open_page(address)
    with page.expect_response(lambda r: r.url == address and r.request.resource_type == "fetch"):
        page.reload()
    listening(page)
    with page.expect_event("requestfailed", lambda failed: failed.url.endswith("/events")):
        page.evaluate(HIDE, True)
    assert page.evaluate("navigator.locks.query().then(({ held }) => held.length)") == 0
    come(past, place, "unseen")
    assert httpx.get(f"{past.url}/api/v1/sightings", params={"camera": place}).json()["sightings"]
    expect(page.locator("[data-sighting]")).to_have_count(0)
    page.evaluate(HIDE, False)
    seen(page, 1)
