"""The page in a real browser, fed by a real Kafka."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import DESKTOP, PHONE, OpenPage
from tests.footage import face
from tests.integration.viewer.conftest import MakeCamera, RunningViewer, wait_until
from tests.integration.viewer.test_viewer import known, playing

pytestmark = [pytest.mark.kafka, pytest.mark.browser]

Screenshot = Callable[..., Path]

# A small copy of an <img>, as a string that is the same only for the same picture.
_PIXELS = """img => {
  const canvas = document.createElement("canvas");
  canvas.width = 64;
  canvas.height = 36;
  const context = canvas.getContext("2d");
  context.drawImage(img, 0, 0, 64, 36);
  return img.naturalWidth ? context.getImageData(0, 0, 64, 36).data.join() : "";
}"""


def pixels(image: Locator) -> str:
    text: str = image.evaluate(_PIXELS)
    return text


def expect_moving(image: Locator) -> None:
    """Waits until an <img> has shown four different pictures."""
    seen: set[str] = set()

    def moves() -> bool:
        seen.add(pixels(image))
        return len(seen - {""}) > 3

    wait_until(moves)


def picture_of(page: Page, channel: str) -> Locator:
    return page.locator(f'img[data-channel="{channel}"]')


def test_every_camera_is_live_side_by_side(
    viewer: RunningViewer, camera: MakeCamera, open_page: OpenPage, screenshot: Screenshot
) -> None:
    # More than the six connections that a browser opens to one site.
    cameras = [camera(f"cam{number}") for number in range(8)]
    cameras[0].faces = [face("sam", "Sam"), face(x=350)]
    with playing(*cameras, fps=8):
        wait_until(lambda: known(viewer, *(each.name for each in cameras)))
        page = open_page(viewer.url)
        for each in cameras:
            expect_moving(picture_of(page, f"camera:{each.name}"))
        expect(page.locator("#summary")).to_contain_text("8 live")
        expect(page.locator('[data-camera="cam0"] [data-field="who"]')).to_have_text(
            "Sam, 1 unknown"
        )
        screenshot(page, "live")


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pages_fit_the_screen_by_day_and_by_night(
    viewer: RunningViewer,
    camera: MakeCamera,
    open_page: OpenPage,
    screenshot: Screenshot,
    size: tuple[int, int],
    scheme: str,
) -> None:
    cameras = [camera("hall", face("sam", "Sam"), face(x=350)), camera("yard"), camera("door")]
    with playing(*cameras, fps=8):
        wait_until(lambda: known(viewer, "hall", "yard", "door"))
        for name, path in (("live", "/"), ("camera", "/camera/hall"), ("person", "/person/sam")):
            page = open_page(viewer.url + path, size, scheme)
            expect_moving(page.locator("main img[data-channel]").first)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= size[0], f"{name} is {wide} pixels wide"
            screenshot(page, name, whole=True)


@pytest.mark.parametrize("viewer", [{}], indirect=True)
def test_a_camera_that_stops_shows_it_and_comes_back(
    viewer: RunningViewer, camera: MakeCamera, open_page: OpenPage, screenshot: Screenshot
) -> None:
    hall, yard = camera("hall"), camera("yard")
    with playing(yard, fps=8):
        hall.send()
        page = open_page(viewer.url)
        tile = page.locator('[data-camera="hall"]')
        badge = tile.locator(".badge")
        image = picture_of(page, "camera:hall")
        live: list[str] = []

        def is_live() -> bool:
            hall.send()
            live[:] = [pixels(image)]
            return live != [""] and badge.is_hidden()

        wait_until(is_live)
        expect(badge).to_be_visible()
        expect(page.locator("#summary")).to_contain_text("1 without signal")
        assert pixels(image) not in live
        screenshot(page, "no-signal")
        wait_until(is_live)


def test_cameras_and_people_appear_without_a_reload(
    viewer: RunningViewer, camera: MakeCamera, open_page: OpenPage, screenshot: Screenshot
) -> None:
    page = open_page(viewer.url)
    expect(page.get_by_text("No camera yet")).to_be_visible()
    expect(page.get_by_text("Nobody has a name yet")).to_be_visible()
    screenshot(page, "empty")
    with playing(camera("hall", face("sam", "Sam <i>Smith</i>")), fps=8):
        expect(page.locator('[data-camera="hall"]')).to_be_visible()
        expect(page.locator('[data-person="sam"] .name')).to_have_text("Sam <i>Smith</i>")
        expect(page.get_by_text("No camera yet")).to_be_hidden()
        expect_moving(picture_of(page, "camera:hall"))
        expect(page.locator('[data-person="sam"] img')).to_be_visible()


def test_the_page_of_a_person_says_where_they_are_and_shows_only_them(
    viewer: RunningViewer, camera: MakeCamera, open_page: OpenPage
) -> None:
    hall, yard = camera("hall", face("sam", "Sam")), camera("yard")
    hall.send()
    wait_until(lambda: known(viewer, "hall"))
    page = open_page(f"{viewer.url}/person/sam")
    image = picture_of(page, "person:sam")
    expect(page.locator('[data-field="seen"]')).to_have_text("hall, now")
    wait_until(lambda: pixels(image) != "")
    before = pixels(image)
    hall.faces = [face()]
    for _ in range(5):
        hall.send()
        yard.send()
    page.wait_for_timeout(500)  # nothing is to happen
    assert pixels(image) == before
    hall.faces = [face("sam", "Sam", x=300)]
    hall.send()
    wait_until(lambda: pixels(image) != before)


def test_without_script_the_page_still_shows_moving_pictures(
    viewer: RunningViewer, camera: MakeCamera, open_page: OpenPage
) -> None:
    with playing(camera("hall"), fps=8):
        wait_until(lambda: known(viewer, "hall"))
        page = open_page(viewer.url, script=False)
        image = page.locator('noscript img, img[src^="/stream/"]').first
        expect(image).to_be_visible()
        first = page.screenshot()
        wait_until(lambda: page.screenshot() != first)


def test_a_page_works_by_keyboard(
    viewer: RunningViewer, camera: MakeCamera, open_page: OpenPage
) -> None:
    with playing(camera("hall", face("sam", "Sam")), fps=8):
        wait_until(lambda: known(viewer, "hall"))
        page = open_page(viewer.url)
        reached = []
        for _ in range(24):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.getAttribute('href')"))
        assert reached[:2] == ["#main", "/"]
        assert "/camera/hall" in reached
        assert "/person/sam" in reached
        page.locator('a[href="/camera/hall"]').press("Enter")
        page.wait_for_url("**/camera/hall")


def test_while_the_viewer_is_away_the_page_says_so(
    viewer: RunningViewer, camera: MakeCamera, open_page: OpenPage
) -> None:
    camera("hall").send()
    wait_until(lambda: known(viewer, "hall"))
    page = open_page(viewer.url, calm=False)
    expect(page.locator('[data-camera="hall"]')).to_be_visible()
    viewer.stop()
    expect(page.get_by_text("The connection to facestream is lost")).to_be_visible()
