"""What a person does with the page, from login to logout, on a running pipeline.

Real Kafka, real models, a clip that plays in a loop, a browser that has a camera.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from services.access import hash_password
from services.cli.children import free_port
from tests.browser.conftest import BROWSER_ARGUMENTS, DESKTOP, PHONE, OpenPage
from tests.browser.people_fixtures import fake_camera_film
from tests.conftest import require_or_skip
from tests.pipeline import LACAMOIRE, MIRANDA, Services, services

pytestmark = [pytest.mark.kafka, pytest.mark.browser, pytest.mark.timeout(420)]

Screenshot = Callable[..., Path]
PASSWORD = "correct horse battery"
API_TOKEN = "the token of these tests"
PATHS = ("/", "/people", "/unknown", "/sightings", "/cameras", "/system")
MOST_PAGE_BYTES = 300_000
# What Web Vitals calls good. Only newcomers on top of a list move anything.
MOST_SHIFT = 0.1


@pytest.fixture(scope="module")
def chromium(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser before whose camera Miranda sits."""
    path = shutil.which("chromium")
    require_or_skip(path is not None, "no Chromium: apt-get install chromium")
    photo = test_data / "clip_hamilton" / "ref" / "lin_manuel_miranda.png"
    film = fake_camera_film(photo, tmp_path_factory.mktemp("film") / "miranda.mjpeg")
    arguments = [
        *BROWSER_ARGUMENTS,
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pipeline(
    kafka: str, test_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    """Every service, locked; the clip plays in a loop, and nobody is enrolled."""
    folder = tmp_path_factory.mktemp("story")
    ingest_port = free_port()
    with services(
        kafka,
        f"story{time.time_ns()}.",
        folder,
        SOURCES=f"stage={test_data / 'clip_hamilton' / 'clip.mp4'}",
        LOOP="true",
        FPS="6",
        API_TOKEN=API_TOKEN,
        IDENTIFIER_TOKEN=API_TOKEN,
        VIEWER_PASSWORD_HASH=hash_password(PASSWORD),
        INGEST_PORT=str(ingest_port),
        INGEST_URL=f"http://127.0.0.1:{ingest_port}",
        RUNTIME_CAMERAS="true",
    ) as run:
        address = f"http://127.0.0.1:{run.env['API_PORT']}"
        for service in ("worker", "identifier", "viewer"):
            run.start(service, IDENTIFIER_URL=address)
        run.ready()
        run.start("producer", IDENTIFIER_URL=address)
        yield run


@pytest.fixture
def nobody_known(pipeline: Services) -> None:
    """Whoever a walk before this one named is a stranger again."""
    api = f"http://127.0.0.1:{pipeline.env['API_PORT']}/api/v1"
    with httpx.Client(base_url=api, headers={"Authorization": f"Bearer {API_TOKEN}"}) as client:
        for person in client.get("/people").raise_for_status().json()["people"]:
            client.delete(f"/people/{person['slug']}", timeout=60).raise_for_status()


def url_of(run: Services, path: str = "/") -> str:
    return f"http://127.0.0.1:{run.env['VIEWER_PORT']}{path}"


def log_in(page: Page, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def row_of(page: Page, who: str) -> Locator:
    """The newest sighting of somebody in the list."""
    return page.locator("#sightings-page a", has_text=who).first


@pytest.mark.usefixtures("nobody_known")
@pytest.mark.parametrize(
    ("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop-light", "phone-dark"]
)
def test_from_login_to_logout(
    pipeline: Services,
    test_data: Path,
    open_page: OpenPage,
    screenshot: Screenshot,
    size: tuple[int, int],
    scheme: str,
) -> None:
    refs = test_data / "clip_hamilton" / "ref"
    page = open_page(url_of(pipeline, "/people"), size, scheme, calm=False)

    # Nobody gets in without the password, and whoever does is where they wanted to be.
    expect(page).to_have_url(re.compile("/login"))
    screenshot(page, "story-login")
    log_in(page, "wrong")
    expect(page.get_by_role("alert").filter(has_text=re.compile("name|password"))).to_be_visible()
    # From here on the browser has nothing to complain of.
    complaints: list[str] = []
    page.on(
        "console",
        lambda said: (
            complaints.append(f"{said.text} at {said.location}")
            if said.type in ("error", "warning")
            else None
        ),
    )
    log_in(page)
    expect(page).to_have_url(url_of(pipeline, "/people"))

    # Enrol one by upload …
    page.get_by_label("Name", exact=True).fill(LACAMOIRE)
    page.locator("#add-photos").set_input_files(refs / "alex_lacamoire.png")
    page.locator("#add-form").get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#outcomes")).to_contain_text(re.compile("good|fair"))
    expect(page.locator("#people-list")).to_contain_text(LACAMOIRE)

    # … and one by the camera of this device.
    if not page.locator("#add-name").is_visible():
        page.locator("#add > summary").click()
    page.locator("#add-name").fill(MIRANDA)
    page.locator("#add-form").get_by_role("button", name="Use this camera").click()
    page.locator("#shoot:enabled").click()
    page.locator("#use-shots:enabled").click()
    if page.locator("#add-form").is_visible():
        page.locator("#add-form").get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#people-list")).to_contain_text(MIRANDA)
    screenshot(page, "story-people")

    # Names appear, with no reload.
    page.goto(url_of(pipeline))
    who = page.locator('[data-camera="stage"] [data-field="who"]')
    expect(who).to_contain_text(MIRANDA)
    expect(page.locator("#lately")).to_contain_text(MIRANDA)
    screenshot(page, "story-live")

    # A stranger gets a name.
    page.goto(url_of(pipeline, "/unknown"))
    expect(page.locator("#unknowns > li").first).to_be_visible()
    stranger = page.locator("#unknowns > li").first
    screenshot(page, "story-unknown")
    stranger.get_by_placeholder("Who is this?").fill("Robin")
    stranger.get_by_role("button", name="Name").click()
    expect(page.locator("#told")).to_contain_text("Robin")

    # Who was there, and why it says so.
    page.goto(url_of(pipeline, "/sightings"))
    page.get_by_label("Person").fill(MIRANDA)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile("person="))
    expect(row_of(page, MIRANDA)).to_be_visible()
    expect(page.locator("#sightings-page a", has_text="Unknown")).to_have_count(0)
    screenshot(page, "story-sightings")
    row_of(page, MIRANDA).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(MIRANDA)
    expect(page.get_by_text(re.compile(r"needed 0\.33"))).to_be_visible()
    expect(page.get_by_text("w600k_mbf.onnx")).to_be_visible()
    screenshot(page, "story-sighting", whole=True)

    # Everything of one person goes.
    page.goto(url_of(pipeline, "/people/alex-lacamoire"))
    page.get_by_role("link", name=re.compile("Erase")).click()
    page.get_by_label(re.compile(LACAMOIRE)).fill(LACAMOIRE)
    page.get_by_role("button", name=re.compile("Erase")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(LACAMOIRE)
    screenshot(page, "story-erased")
    page.goto(url_of(pipeline, "/people"))
    expect(page.locator("#people-list")).not_to_contain_text(LACAMOIRE)

    # Out, and refused.
    page.locator("#account-menu > summary").click()
    page.get_by_role("button", name="Log out").click()
    for path in (*PATHS, "/snapshot/stage.jpg", "/api/state.json"):
        answer = page.request.get(url_of(pipeline, path), max_redirects=0)
        assert answer.status in (303, 401), path
    page.goto(url_of(pipeline, "/sightings"))
    expect(page).to_have_url(re.compile("/login"))
    assert complaints == []


@pytest.mark.parametrize(
    ("size", "scheme"),
    [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light"), (PHONE, "dark")],
    ids=["desktop-light", "desktop-dark", "phone-light", "phone-dark"],
)
def test_every_page_is_sound(
    pipeline: Services,
    open_page: OpenPage,
    screenshot: Screenshot,
    size: tuple[int, int],
    scheme: str,
) -> None:
    page = open_page(url_of(pipeline, "/login"), size, scheme)
    log_in(page)
    expect(page.locator('[data-camera="stage"]').first).to_be_visible()
    page.add_init_script(
        """window.shift = 0;
        window.shifted = [];
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) {
            if (entry.hadRecentInput) continue;
            window.shift += entry.value;
            for (const { node } of entry.sources) window.shifted.push(node && node.outerHTML);
          }
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    sizes: dict[str, int] = {}
    page.on(
        "requestfinished",
        lambda request: (
            sizes.update({request.url: request.sizes()["responseBodySize"]})
            if request.resource_type in ("document", "script", "stylesheet", "fetch", "xhr", "font")
            and "/live?" not in request.url
            else None
        ),
    )
    for path in (*PATHS, "/sightings?view=lanes", "/sightings?view=figures"):
        sizes.clear()
        page.goto(url_of(pipeline, path))
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        page.wait_for_timeout(1_500)  # what comes by itself has come
        assert sum(sizes.values()) < MOST_PAGE_BYTES, path
        moved = page.evaluate("window.shifted")
        assert page.evaluate("window.shift") <= MOST_SHIFT, f"{path}: {moved}"
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0], f"{path} is wider than the screen"
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        screenshot(page, f"sound-{scheme}-{size[0]}{re.sub(r'[^a-z]+', '-', path)}")
