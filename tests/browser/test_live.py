"""What one does with the page of live pictures, and with one camera and one person."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from identifier.access.tokens import Tokens
from identifier.access.users import Users
from services.access import hash_password
from services.broker.memory import MemoryBroker
from services.kafka.clients import make_producer
from services.records.jpeg import jpeg_size
from tests.browser.conftest import DESKTOP, PHONE, OpenPage
from tests.browser.people_fixtures import look_everywhere
from tests.browser.sightings_fixtures import Past, served_past, started, utc_now
from tests.browser.test_events import HIDE, listening
from tests.browser.test_page import picture_of, pixels
from tests.footage import CLIP_SIZE, FakeCamera, clip_jpegs, face
from tests.integration.viewer.conftest import RunningViewer, wait_until
from tests.integration.viewer.test_viewer import known, playing
from viewer.settings import ViewerSettings

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

Screenshot = Callable[..., Path]

PASSWORD = "correct horse battery"
SAM, KIM = "Sam Smith", "Kim"


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with MemoryBroker() as running:
        yield running.bootstrap_servers


@pytest.fixture(scope="module")
def past(broker: str, test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    folder = tmp_path_factory.mktemp("live")
    with served_past(broker, "live-", folder, clip_jpegs(test_data)) as made:
        made.enrol(SAM, 1, made.jpegs[20])
        made.enrol(KIM, 2, made.jpegs[0])
        Users(made.database).add("Vic", PASSWORD, "admin")
        Tokens(made.database).create("dashboard", frozenset({"read", "streams"}), None)
        yield made


@pytest.fixture(scope="module")
def viewers(broker: str, past: Past) -> Iterator[tuple[RunningViewer, RunningViewer]]:
    """One for this machine, and one with a login; Sam is in the hall, a stranger in the yard."""
    settings = ViewerSettings.load([], {"KAFKA_BOOTSTRAP_SERVERS": broker})
    producer, topic = make_producer(settings), settings.topic_identified
    people = {"hall": [face("sam-smith", SAM), face(x=350)], "yard": [face(x=200)]}
    cameras = [FakeCamera(producer, topic, name, past.jpegs, them) for name, them in people.items()]
    with ExitStack() as at_exit:
        plain = at_exit.enter_context(started(broker, past, STALE_AFTER_S="60"))
        locked = at_exit.enter_context(
            started(
                broker,
                past,
                STALE_AFTER_S="60",
                VIEWER_PASSWORD_HASH=hash_password(PASSWORD),
                TRUSTED_PROXIES="127.0.0.1",
            )
        )
        at_exit.enter_context(playing(*cameras, fps=6, most_s=900))
        wait_until(lambda: known(plain, "hall", "yard"))
        yield plain, locked


@pytest.fixture(scope="module")
def viewer(viewers: tuple[RunningViewer, RunningViewer]) -> RunningViewer:
    return viewers[0]


@pytest.fixture(scope="module")
def locked(viewers: tuple[RunningViewer, RunningViewer]) -> RunningViewer:
    return viewers[1]


def log_in(page: Page) -> None:
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def tile(page: Page, name: str) -> Locator:
    return page.locator(f'.tile[data-camera="{name}"]')


# ---- the bar over the pictures


def test_only_cameras_with_the_chosen_person_are_left(
    viewer: RunningViewer, open_page: OpenPage
) -> None:
    page = open_page(viewer.url)
    expect(tile(page, "hall")).to_be_visible()
    expect(tile(page, "yard")).to_be_visible()
    page.get_by_label("Show cameras with").select_option(SAM)
    expect(tile(page, "yard")).to_be_hidden()
    expect(tile(page, "hall")).to_be_visible()
    expect(page.locator("#nobody")).to_be_empty()
    page.get_by_label("Show cameras with").select_option("Everybody")
    expect(tile(page, "yard")).to_be_visible()


def test_nobody_of_a_name_being_there_is_said(viewer: RunningViewer, open_page: OpenPage) -> None:
    page = open_page(viewer.url)
    expect(tile(page, "hall")).to_be_visible()
    page.get_by_label("Show cameras with").select_option(KIM)
    expect(page.get_by_text("Nobody of that name is before a camera now.")).to_be_visible()
    expect(tile(page, "hall")).to_be_hidden()


@pytest.mark.parametrize("path", ["/", "/camera/hall", "/person/sam-smith"])
def test_the_pictures_fill_the_screen_and_leave_it_again(
    viewer: RunningViewer, open_page: OpenPage, path: str
) -> None:
    page = open_page(viewer.url + path)
    page.get_by_role("button", name="Full screen").click()
    wait_until(lambda: page.evaluate("document.fullscreenElement?.id") == "stage")
    width, height = DESKTOP
    screen = {"x": 0, "y": 0, "width": width, "height": height}
    wait_until(lambda: page.locator("#stage").bounding_box() == screen)
    expect(page.locator("#stage img").first).to_be_in_viewport()
    page.evaluate("document.exitFullscreen()")
    wait_until(lambda: page.evaluate("!document.fullscreenElement"))


@pytest.mark.parametrize(
    ("label", "query"),
    [("Names", {"names": "0"}), ("Boxes", {"boxes": "0"}), ("Blur unknown faces", {"blur": "1"})],
)
def test_how_pictures_are_drawn_is_chosen_seen_at_once_and_remembered(
    viewer: RunningViewer, open_page: OpenPage, label: str, query: dict[str, str]
) -> None:
    page = open_page(viewer.url)
    wait_until(lambda: pixels(picture_of(page, "camera:hall")) != "")
    page.locator("#options > summary").click()
    ((name, value),) = query.items()
    with page.expect_request(
        lambda asked: "/live?" in asked.url and f"{name}={value}" in asked.url
    ):
        page.get_by_label(label).click()
    with page.expect_request(
        lambda asked: "/live?" in asked.url and f"{name}={value}" in asked.url
    ):
        page.reload()
    page.locator("#options > summary").click()
    assert page.get_by_label(label).is_checked() == (value == "1")
    with page.expect_request(lambda asked: "/live?" in asked.url and f"{name}=" not in asked.url):
        page.get_by_label(label).click()


def test_a_snapshot_is_a_file_drawn_as_the_pictures_are(
    viewer: RunningViewer, open_page: OpenPage
) -> None:
    page = open_page(viewer.url)
    page.locator("#options > summary").click()
    page.get_by_label("Boxes").click()
    page.get_by_label("Names").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Snapshot of hall").click()
    assert re.fullmatch(r"hall-\d{8}T\d{6}Z\.jpg", download.value.suggested_filename)
    assert download.value.url.endswith("/snapshot/hall.jpg?names=0&boxes=0")
    assert jpeg_size(download.value.path().read_bytes()) == CLIP_SIZE
    page.goto(f"{viewer.url}/camera/hall")
    with page.expect_download() as download:
        page.get_by_role("link", name="Snapshot").click()
    assert download.value.url.endswith("/snapshot/hall.jpg?names=0&boxes=0")


# ---- notifications


# Notes what the browser has shown. To ask it is no way to wait: asked between taking one and
# showing it, Chromium forgets that one.
NOTING = """
const show = ServiceWorkerRegistration.prototype.showNotification;
window.shown = [];
ServiceWorkerRegistration.prototype.showNotification = async function (title, options) {
  await show.call(this, title, options);
  window.shown.push([options.tag, options.body]);
};
"""


def told(page: Page) -> list[str]:
    """What the browser shows in the name of the site: of each tag the last."""
    shown: list[tuple[str, str]] = page.evaluate("window.shown")
    return list(dict(shown).values())


# What Chromium for Android does.
ANDROID = """
const refusing = new Proxy(Notification, {
  construct() { throw new TypeError("Illegal constructor."); },
});
Object.defineProperty(window, "Notification", { value: refusing });
"""
# What it does on a page whose certificate it does not trust.
NO_WORKER = """
ServiceWorkerContainer.prototype.register = async () => {
  throw new DOMException("", "SecurityError");
};
"""


@pytest.mark.parametrize("script", ["", ANDROID], ids=["desktop", "android"])
def test_who_comes_is_told_while_nobody_looks_and_only_then(
    viewer: RunningViewer, past: Past, open_page: OpenPage, script: str
) -> None:
    place = f"porch-{time.time_ns()}"
    page = open_page(f"{viewer.url}/account")
    page.context.grant_permissions(["notifications"])
    page.add_init_script(NOTING + script)
    page.goto(viewer.url)
    button = page.get_by_role("button", name="Notify me")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("You will be told when somebody comes.")).to_be_visible()
    listening(page)

    def come(key: str, slug: str = "", name: str = "") -> None:
        state = past.see(f"{place}{key}", utc_now(), camera=place, slug=slug, name=name)
        past.write(state)

    come("looked-at", "sam-smith", SAM)
    expect(page.locator("#lately")).to_contain_text(place)
    assert told(page) == []
    page.evaluate(HIDE, True)
    listening(page, "facestream.unseen")
    come("unseen", "sam-smith", SAM)
    wait_until(lambda: told(page) == [f"{SAM} is at {place}"])
    # The same person again replaces it; on its way out nobody is told of.
    come("again", "sam-smith", SAM)
    come("stranger")
    wait_until(lambda: len(told(page)) == 2)
    assert sum(each.startswith("Unknown") for each in told(page)) == 1

    page.evaluate(HIDE, False)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    page.reload()
    expect(page.get_by_role("button", name="Notify me")).to_have_attribute("aria-pressed", "false")


def test_a_browser_that_cannot_notify_is_not_said_to(
    viewer: RunningViewer, open_page: OpenPage
) -> None:
    page = open_page(f"{viewer.url}/account")
    page.context.grant_permissions(["notifications"])
    page.add_init_script(ANDROID + NO_WORKER)
    page.goto(viewer.url)
    page.get_by_role("button", name="Notify me").click()
    expect(page.get_by_text("This browser does not show notifications")).to_be_visible()
    expect(page.get_by_role("button", name="Notify me")).to_have_attribute("aria-pressed", "false")


def test_a_refused_permission_is_said(viewer: RunningViewer, open_page: OpenPage) -> None:
    page = open_page(viewer.url)  # nobody grants it
    page.get_by_role("button", name="Notify me").click()
    expect(page.get_by_text("does not let this page notify you")).to_be_visible()
    expect(page.get_by_role("button", name="Notify me")).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", ["", "camera/hall", "person/sam-smith"])
def test_every_choice_of_a_menu_can_be_reached(
    viewer: RunningViewer,
    open_page: OpenPage,
    screenshot: Screenshot,
    path: str,
    size: tuple[int, int],
) -> None:
    page = open_page(f"{viewer.url}/{path}", size)
    page.locator("#options > summary").click()
    for name in ("Names", "Boxes", "Blur unknown faces"):
        page.get_by_label(name).click()
        box = page.locator("label", has_text=name).bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= size[0]
    screenshot(page, f"menu-{path.replace('/', '-')}", whole=True)


# ---- addresses for other pages


def test_on_this_machine_the_address_alone_is_enough(
    viewer: RunningViewer, open_page: OpenPage
) -> None:
    for path, stream in (("camera/hall", "hall"), ("person/sam-smith", "person/sam-smith")):
        page = open_page(f"{viewer.url}/{path}")
        expect(page.locator(".hint code")).to_have_text(
            f'<img src="{viewer.url}/stream/{stream}.mjpg">'
        )
        expect(page.locator("#share")).to_have_count(0)


@pytest.mark.parametrize(
    ("path", "stream"),
    [("camera/hall", "hall"), ("person/sam-smith", "person/sam-smith")],
)
def test_with_a_login_an_address_is_made_by_keyboard_that_works_without_one(
    locked: RunningViewer, open_page: OpenPage, screenshot: Screenshot, path: str, stream: str
) -> None:
    page = open_page(f"{locked.url}/{path}")
    log_in(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.locator("#share")).to_be_visible()
    page.locator("#share > summary").press("Enter")
    page.get_by_label("Works for").select_option("7 days")
    page.get_by_label("Blur unknown faces").and_(page.locator("#share input")).press("Space")
    page.get_by_role("button", name="Make an address").press("Enter")
    address = page.get_by_label("Address of the stream")
    expect(address).to_be_focused()
    expect(page.get_by_text("It works until")).to_be_visible()
    url = address.input_value()
    assert url.startswith(f"{locked.url}/stream/{stream}.mjpg?token=")
    page.get_by_role("button", name="Copy").press("Enter")
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == url
    with httpx.stream("GET", url) as answer:
        assert answer.headers["content-type"].startswith("multipart/x-mixed-replace")
    assert httpx.get(url.partition("?")[0]).status_code == 401
    assert Axe().run(page).violations_count == 0
    screenshot(page, "share", whole=True)
    page.get_by_label("Works for").select_option("1 hour")
    expect(address).to_be_hidden()


def test_behind_a_proxy_the_address_is_the_one_that_browsers_ask_for(
    locked: RunningViewer, open_page: OpenPage
) -> None:
    page = open_page(f"{locked.url}/camera/hall")
    log_in(page)
    page.locator("#share > summary").click()
    page.context.set_extra_http_headers(
        {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cams.example.org"}
    )
    page.route(
        "**/api/stream-token",
        lambda route: route.continue_(
            headers={**route.request.headers, "origin": "https://cams.example.org"}
        ),
    )
    page.get_by_role("button", name="Make an address").click()
    expect(page.get_by_label("Address of the stream")).to_have_value(
        re.compile("^https://cams.example.org/stream/hall.mjpg")
    )


# ---- for everybody


@pytest.mark.parametrize("path", ["camera/hall", "person/sam-smith", "account", "users", "nowhere"])
def test_everybody_can_use_every_page(
    viewer: RunningViewer, open_page: OpenPage, screenshot: Screenshot, path: str
) -> None:
    page = open_page(f"{viewer.url}/{path}", calm=path != "nowhere")  # the browser logs the 404
    look_everywhere(page, lambda how: screenshot(page, f"{path.replace('/', '-')}-{how}"))


@pytest.mark.parametrize("path", ["camera/hall", "person/sam-smith", "account", "users"])
def test_everybody_can_use_every_page_with_a_login(
    locked: RunningViewer, open_page: OpenPage, screenshot: Screenshot, path: str
) -> None:
    page = open_page(f"{locked.url}/{path}")
    look_everywhere(page, lambda how: screenshot(page, f"login-{how}"))
    log_in(page)
    page.wait_for_url(f"**/{path}")
    page.evaluate(
        "document.querySelectorAll('main details').forEach((one) => { one.open = true; })"
    )
    look_everywhere(page, lambda how: screenshot(page, f"locked-{path.replace('/', '-')}-{how}"))
