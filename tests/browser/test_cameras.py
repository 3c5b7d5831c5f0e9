"""The page of cameras on a running pipeline: this browser as a camera, and cameras on a network."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Route, expect

from services.records import frames
from services.records.headers import read_headers
from services.records.jpeg import jpeg_size
from tests.browser.cameras_fixtures import (
    PLAIN_HOST,
    chromium,
    fake_device,
    network_camera,
    pipeline,
)
from tests.browser.conftest import DESKTOP, PHONE, OpenPage
from tests.footage import CLIP_SIZE
from tests.pipeline import Services, reading
from tests.waiting import eventually

__all__ = ["chromium", "fake_device", "pipeline"]

pytestmark = [pytest.mark.kafka, pytest.mark.browser, pytest.mark.timeout(240)]

Screenshot = Callable[..., Path]

LOGIN, PASSWORD = "admin", "s3cret"
BASIC = base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()


def cameras_url(run: Services, rest: str = "") -> str:
    return f"http://127.0.0.1:{run.env['VIEWER_PORT']}/cameras{rest}"


def card(page: Page, name: str) -> Locator:
    return page.locator(f'[data-source="{name}"]')


def start(page: Page, name: str, fps: int = 6) -> None:
    page.locator("#own > summary").click()
    page.locator("#own-name").fill(name)
    page.locator("#own-fps").fill(str(fps))
    page.locator("#own-start").click()


def test_a_browser_becomes_a_camera_and_sees_itself_live(
    pipeline: Services, kafka: str, open_page: OpenPage, screenshot: Screenshot
) -> None:
    began_at = datetime.now(UTC)
    page = open_page(cameras_url(pipeline))
    start(page, "laptop-3f")
    expect(page.locator("#own-said")).to_have_text("This device is the camera laptop-3f.")
    expect(page.locator("#own-live")).to_be_visible()
    assert card(page, "laptop-3f").locator('[data-field="state"]').inner_text() == "live"
    expect(card(page, "laptop-3f").locator('[data-field="kind"]')).to_have_text("sent in")
    assert page.locator("#own-live").get_attribute("href") == "/camera/laptop-3f"
    screenshot(page, "cameras-own", whole=True)
    page.locator("#own-stop").click()
    expect(page.locator("#own-said")).to_have_text("Stopped. Nothing is sent any more.")
    sent = int(page.locator('#own-counters [data-field="sent"]').inner_text())
    assert sent > 0

    with reading(kafka, pipeline.env["TOPIC_RAW"]) as reader:
        records = [m for m in reader.read() if read_headers(m)["camera"] == b"laptop-3f"]
    metas = [frames.from_message(message, CLIP_SIZE) for message in records]
    # The one that was on its way when it was stopped may have come through.
    assert sent <= len(metas) <= sent + 1
    assert sorted(meta.seq for meta in metas) == list(range(len(metas)))
    assert len({meta.session for meta in metas}) == 1
    UUID(metas[0].session)
    for meta, message in zip(metas, records, strict=True):
        value = message.value()
        assert value is not None
        assert (meta.width, meta.height) == jpeg_size(value) == CLIP_SIZE
        assert meta.source == "live:push"
        assert began_at - timedelta(seconds=2) < meta.captured_at < datetime.now(UTC)


def test_two_browsers_do_not_mix_under_one_name(pipeline: Services, open_page: OpenPage) -> None:
    first = open_page(cameras_url(pipeline))
    start(first, "laptop-5b")
    expect(first.locator("#own-said")).to_have_text("This device is the camera laptop-5b.")
    second = open_page(cameras_url(pipeline), calm=False)  # the browser itself logs every 409
    start(second, "laptop-5b")
    expect(second.locator("#own-said")).to_have_text(
        "Another device sends as laptop-5b. Choose another name."
    )
    expect(second.locator("#own-start")).to_be_visible()
    expect(first.locator("#own-said")).to_have_text("This device is the camera laptop-5b.")


def test_a_browser_s_camera_goes_on_by_itself_after_the_producer_was_away(
    pipeline: Services, open_page: OpenPage
) -> None:
    page = open_page(cameras_url(pipeline), calm=False)  # the browser itself logs every 503
    start(page, "laptop-6c")
    said = page.locator("#own-said")
    expect(said).to_have_text("This device is the camera laptop-6c.")
    producer = next(child for child in pipeline.children if child.service == "producer")
    pipeline.kill(producer)
    expect(said).to_contain_text("Frames do not get through. Trying again.")
    pipeline.start("producer", "producer-again", **dict(producer.env))
    expect(said).to_have_text("This device is the camera laptop-6c.")


def test_a_browser_s_camera_pauses_while_its_page_is_not_in_view(
    pipeline: Services, open_page: OpenPage
) -> None:
    page = open_page(cameras_url(pipeline))
    start(page, "laptop-7d")
    said = page.locator("#own-said")
    expect(said).to_have_text("This device is the camera laptop-7d.")
    # A headless browser has every page in view.
    page.evaluate(
        """hidden => {
          Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        True,
    )
    expect(said).to_have_text("Paused: this page is not in view.")
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(said).to_have_text("This device is the camera laptop-7d.")


def test_another_of_the_device_s_cameras_can_be_chosen_while_it_runs(
    pipeline: Services, open_page: OpenPage
) -> None:
    page = open_page(cameras_url(pipeline))
    start(page, "laptop-8e")
    expect(page.locator("#own-said")).to_have_text("This device is the camera laptop-8e.")
    page.locator("#own-device").select_option("facing:environment")
    # The browser names its cameras once it was allowed to use them.
    page.locator("#own-device").select_option(index=3)
    page.locator("#own-size").select_option("1280")
    sent = page.locator('#own-counters [data-field="sent"]')
    before = int(sent.inner_text())
    eventually(lambda: int(sent.inner_text()) > before + 3, what="frames of the other camera")
    expect(page.locator("#own-said")).to_have_text("This device is the camera laptop-8e.")
    expect(page.locator("#own-preview")).to_be_visible()


def test_over_plain_http_the_page_says_how_to_get_https(
    pipeline: Services, chromium: Browser
) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(cameras_url(pipeline).replace("127.0.0.1", PLAIN_HOST))
        page.locator("#own > summary").click()
        expect(page.get_by_text("VIEWER_TLS_CERT")).to_be_visible()
        expect(page.locator("#own-start")).to_be_hidden()


def test_a_camera_is_tried_added_changed_and_removed(
    pipeline: Services, jpegs: list[bytes], open_page: OpenPage, screenshot: Screenshot
) -> None:
    with network_camera(jpegs, BASIC) as camera:
        address = f"http://{LOGIN}:{PASSWORD}@{camera.place}"
        page = open_page(cameras_url(pipeline))
        page.locator("#add > summary").click()
        page.locator("#name").fill("front-door")
        page.locator("#address").fill(address)
        page.locator("#fps").fill("5")
        page.locator("#add [data-shot]").click()
        expect(page.locator("#shot")).to_contain_text("640 × 360 pixels")
        expect(page.locator("#shot img")).to_be_visible()
        screenshot(page, "cameras-add", whole=True)

        page.locator("#add .primary").click()
        expect(page.locator(".toast")).to_have_text(
            "front-door is added. Its first frames come in a few seconds."
        )
        state = card(page, "front-door").locator('[data-field="state"]')
        expect(state).to_have_text("live")
        expect(card(page, "front-door").locator('[data-field="drops"]')).to_have_text("0 left out")
        screenshot(page, "cameras", whole=True)
        assert PASSWORD not in page.content()
        everything = httpx.get(cameras_url(pipeline).replace("/cameras", "/api/cameras.json"))
        assert everything.json()["cameras"]
        assert PASSWORD not in everything.text

        page.locator('a[href="/cameras/front-door"]').click()
        expect(page.locator("#address")).to_have_value("")
        page.locator("[data-shot]").click()
        expect(page.locator("#shot")).to_contain_text("640 × 360 pixels")
        page.locator("#max_side").fill("320")
        page.get_by_role("button", name="Save").click()
        expect(page.locator('[data-field="size"]')).to_have_text("320 × 180")
        screenshot(page, "camera-settings", whole=True)

        page.get_by_role("button", name="Switch off").click()
        expect(card(page, "front-door").locator('[data-field="state"]')).to_have_text("off")
        page.locator('a[href="/cameras/front-door"]').click()
        page.locator(".remove > summary").click()
        expect(page.get_by_text("What is remembered stays")).to_be_visible()
        page.get_by_role("button", name="Remove the camera").click()
        page.wait_for_url("**/cameras")
        expect(card(page, "front-door").get_by_text("added here")).to_have_count(0)
    assert PASSWORD not in pipeline.logs


@pytest.mark.parametrize(
    ("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"]
)
def test_what_a_camera_left_out_is_said_and_stands_out_while_it_grows(
    pipeline: Services,
    open_page: OpenPage,
    screenshot: Screenshot,
    size: tuple[int, int],
    scheme: str,
) -> None:
    name = f"laptop-{size[0]}"
    page = open_page(cameras_url(pipeline), size, scheme)
    start(page, name)
    drops = card(page, name).locator('[data-field="drops"]')
    expect(drops).to_have_text("0 left out")
    left_out = [1_203]

    def slow_kafka(route: Route) -> None:
        # What a producer counts when Kafka is slower than its cameras.
        answer = route.fetch()
        told = answer.json()
        for camera in told["cameras"]:
            camera["drops"] = left_out[0]
        route.fulfill(response=answer, json=told)

    page.route("**/api/cameras.json", slow_kafka)
    expect(drops).to_have_text("1,203 left out")
    left_out[0] += 1
    expect(drops).to_have_text("1,204 left out")
    expect(drops).to_have_class("more")
    screenshot(page, f"cameras-drops-{scheme}", whole=True)
    expect(drops).not_to_have_class("more")
    page.goto(cameras_url(pipeline, f"/{name}"))
    expect(drops).to_have_text("1,204")
    page.unroute_all()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ftp://10.0.0.5/video", "an address begins with rtsp://"),
        ("http://127.0.0.1:1/video.mjpg", "The camera cannot be reached"),
        ("rtsp://169.254.169.254/x", "no camera is at a link-local address"),
    ],
)
def test_a_wrong_address_says_why(
    pipeline: Services, open_page: OpenPage, address: str, said: str
) -> None:
    page = open_page(cameras_url(pipeline, "#add"), calm=False)  # the browser logs every 422
    page.locator("#address").fill(address)
    page.locator("#add [data-shot]").click()
    expect(page.locator("#shot")).to_contain_text(said)
    expect(page.locator("#shot img")).to_be_hidden()


def test_a_wrong_password_says_why(
    pipeline: Services, jpegs: list[bytes], open_page: OpenPage
) -> None:
    with network_camera(jpegs, BASIC) as camera:
        page = open_page(cameras_url(pipeline, "#add"), calm=False)
        page.locator("#address").fill(f"http://admin:wr0ng@{camera.place}")
        page.locator("#add [data-shot]").click()
        said = page.locator("#shot")
        expect(said).to_contain_text("refuses the user name or password")
        assert "wr0ng" not in said.inner_text()


def test_without_script_cameras_are_added_and_removed(
    pipeline: Services, open_page: OpenPage
) -> None:
    page = open_page(cameras_url(pipeline), script=False)
    page.locator("#add > summary").click()
    page.locator("#name").fill("shed")
    page.locator("#address").fill("rtsp://10.255.255.1/main")
    page.locator("#add .primary").click()
    expect(card(page, "shed")).to_contain_text("rtsp://10.255.255.1/main")
    page.locator('a[href="/cameras/shed"]').click()
    page.locator(".remove > summary").click()
    page.get_by_role("button", name="Remove the camera").click()
    expect(card(page, "shed")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_everybody_can_use_the_page_of_cameras(
    pipeline: Services, open_page: OpenPage, size: tuple[int, int], scheme: str
) -> None:
    api = f"http://127.0.0.1:{pipeline.env['API_PORT']}/api/v1/cameras"
    httpx.post(api, json={"name": "shed", "address": "rtsp://10.255.255.1/main"})
    for path in ("", "/shed"):
        page = open_page(cameras_url(pipeline, path), size, scheme)
        page.evaluate("document.querySelectorAll('main details').forEach((one) => one.open = true)")
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
