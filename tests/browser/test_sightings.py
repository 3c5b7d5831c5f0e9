"""The sightings pages in a real browser, over a real identifier's memory."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from services.broker.memory import MemoryBroker
from tests.browser.conftest import DESKTOP, PHONE, OpenPage
from tests.browser.sightings_fixtures import Past, an_evening, served_past, started, utc_now
from tests.footage import clip_jpegs
from tests.integration.viewer.conftest import wait_until

pytestmark = pytest.mark.browser

ADA = "Ada Lovelace"


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with MemoryBroker() as running:
        yield running.bootstrap_servers


@pytest.fixture(scope="module")
def past(broker: str, test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    folder = tmp_path_factory.mktemp("past")
    with served_past(broker, "sightings-", folder, clip_jpegs(test_data)) as made:
        yield made


@pytest.fixture(scope="module")
def ids(past: Past) -> dict[str, str]:
    return an_evening(past, utc_now())


@pytest.fixture(scope="module")
def site(broker: str, past: Past) -> Iterator[str]:
    with started(broker, past) as running:
        yield running.url


def lines(page: Page) -> list[str]:
    return page.locator("[data-sighting] .who").all_inner_texts()


def accessible(page: Page, *rules: str) -> None:
    found = Axe().run(page, options={"runOnly": list(rules)} if rules else None)
    assert found.violations_count == 0, found.generate_report()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.evaluate("innerWidth"), "it scrolls sideways"


def test_the_timeline_is_filtered_by_form_and_the_address_says_how(
    site: str, ids: dict[str, str], open_page: OpenPage
) -> None:
    page = open_page(f"{site}/sightings")
    assert lines(page) == [ADA, "Unknown 1", ADA, ADA]
    page.fill("input[name=person]", ADA)
    page.fill("input[name=camera]", "gate")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/sightings?person=Ada+Lovelace&camera=gate")
    assert lines(page) == [ADA, ADA]
    page.get_by_role("link", name="Last hour").click()
    page.wait_for_url("**/sightings?person=ada-lovelace&camera=gate&period=hour")
    assert lines(page) == [ADA]
    page.get_by_role("link", name="Clear").click()
    page.select_option("select[name=who]", "unknown")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/sightings?who=unknown")
    assert lines(page) == ["Unknown 1"]
    page.goto(f"{site}/sightings?similarity=0.6&camera=hall")
    assert lines(page) == [ADA]
    page.goto(f"{site}/sightings?person=Nobody+At+All")
    expect(page.get_by_role("alert").filter(has_text="Nobody is called")).to_be_visible()


def test_it_works_without_scripts_and_says_that_times_are_utc(
    site: str, ids: dict[str, str], open_page: OpenPage
) -> None:
    page = open_page(f"{site}/sightings", script=False)
    expect(page.get_by_text("Times are UTC")).to_be_visible()
    page.locator("summary", has_text="More filters").click()
    since = f"{utc_now() - timedelta(hours=1):%Y-%m-%dT%H:%M}"
    page.fill("input[name=from]", since)
    page.get_by_role("button", name="Show").click()
    assert lines(page) == [ADA, "Unknown 1", ADA]
    page.locator(f'[data-sighting="{ids["proved"]}"] a').click()
    page.get_by_role("link", name="Explain").click()
    expect(page.get_by_text("Similarity 0.610, needed 0.330")).to_be_visible()
    page.goto(f"{site}/sightings?view=lanes")
    assert page.locator(".bars a").count() == 3
    page.goto(f"{site}/sightings?view=figures")
    expect(page.get_by_text("4 sightings began")).to_be_visible()


def test_times_are_in_the_readers_own_zone(
    site: str, ids: dict[str, str], chromium: Browser, open_page: OpenPage
) -> None:
    address, line = f"{site}/sightings", f'[data-sighting="{ids["proved"]}"] time'
    utc = open_page(address, script=False).locator(line).first.inner_text()
    context = chromium.new_context(timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.goto(address)
    expect(page.get_by_text("Times are Asia/Tokyo.")).to_be_visible()
    tokyo = page.locator(line).first.inner_text()
    assert (tokyo[:2], tokyo[2:]) == (f"{(int(utc[:2]) + 9) % 24:02}", utc[2:])
    context.close()


def test_what_is_new_appears_by_itself_and_never_under_what_one_reads(
    site: str, past: Past, ids: dict[str, str], open_page: OpenPage
) -> None:
    page = open_page(f"{site}/sightings?camera=porch")
    expect(page.get_by_text("Nothing fits")).to_be_visible()
    assert page.evaluate("fetch('/events').then((answer) => answer.ok)")

    def come(key: str) -> None:
        at = utc_now()
        past.write(past.see(key, at, camera="porch", slug="ada-lovelace", name=ADA, ended=False))

    come("first")
    expect(page.locator("[data-sighting]")).to_have_count(1)
    expect(page.get_by_text("there now")).to_be_visible()
    page.locator("[data-sighting] a").focus()
    come("second")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    expect(page.locator("[data-sighting]")).to_have_count(1)
    page.get_by_role("button", name="1 new").click()
    expect(page.locator("[data-sighting]")).to_have_count(2)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_what_comes_pushes_the_others_gently_or_waits(
    site: str,
    past: Past,
    ids: dict[str, str],
    open_page: OpenPage,
    screenshot: Callable[..., Path],
    size: tuple[int, int],
) -> None:
    camera = f"yard-{size[0]}"
    at = utc_now() - timedelta(minutes=5)
    past.write(
        *(past.see(f"{camera}{n}", at - timedelta(seconds=n), camera=camera) for n in range(20))
    )
    page = open_page(f"{site}/sightings?camera={camera}", size)
    expect(page.locator("[data-sighting]")).to_have_count(20)
    assert page.evaluate("fetch('/events').then((answer) => answer.ok)")
    page.evaluate(
        """window.shift = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) window.shift += entry.value;
        }).observe({ type: "layout-shift" });"""
    )
    past.write(*(past.see(f"{camera}new{n}", utc_now(), camera=camera) for n in range(5)))
    expect(page.locator("[data-sighting]")).to_have_count(25)
    still = "document.getAnimations().every((e) => !e.effect.target.matches('[data-sighting]'))"
    wait_until(lambda: page.evaluate(still))
    assert page.evaluate("window.shift") < 0.01

    page.emulate_media(reduced_motion="reduce")
    past.write(past.see(f"{camera}last", utc_now(), camera=camera))
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    expect(page.locator("[data-sighting]")).to_have_count(25)
    assert page.evaluate("window.shift") < 0.01
    screenshot(page, "newer")


def test_older_ones_come_when_asked_for(
    site: str, past: Past, ids: dict[str, str], open_page: OpenPage
) -> None:
    at = utc_now() - timedelta(days=9)
    past.write(
        *(past.see(f"o{n}", at - timedelta(minutes=n), camera="attic", of=5) for n in range(70))
    )
    page = open_page(f"{site}/sightings?camera=attic")
    expect(page.locator("[data-sighting]")).to_have_count(60)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("[data-sighting]")).to_have_count(70)
    expect(page.locator("#older")).to_have_count(0)


def test_lanes_are_walked_by_keyboard_and_a_bar_opens_its_sighting(
    site: str, ids: dict[str, str], open_page: OpenPage, screenshot: Callable[..., Path]
) -> None:
    page = open_page(f"{site}/sightings?view=lanes&camera=hall")
    bars = page.locator(".bars a")
    expect(bars).to_have_count(2)
    page.locator('.bars a[tabindex="0"]').focus()
    expect(page.locator("#lane-tip")).to_contain_text("Unknown 1, hall")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#lane-tip")).to_contain_text(f"{ADA}, hall")
    screenshot(page, "lanes")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/sightings/{ids['proved']}")


def test_the_explanation_shows_the_face_the_photo_the_frame_and_the_numbers(
    site: str, ids: dict[str, str], open_page: OpenPage, screenshot: Callable[..., Path]
) -> None:
    page = open_page(f"{site}/sightings/{ids['proved']}")
    expect(page.get_by_text("Similarity 0.610, needed 0.330")).to_be_visible()
    for image in page.locator("#why img, .crop").all():
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("(image) => image.naturalWidth") > 0
    assert page.locator("#why img").count() == 3
    expect(page.locator(".chain")).to_contain_text("partition 0")
    expect(page.locator(".chain")).to_contain_text("scrfd_500m_bnkps.onnx")
    screenshot(page, "sighting", whole=True)
    page.goto(f"{site}/sightings/{ids['gone']}")
    expect(page.get_by_text("Kafka does not have this frame any more.")).to_be_visible()
    page.get_by_role("link", name="Later").click()
    page.wait_for_url(f"**/sightings/{ids['stranger']}")
    page.get_by_role("link", name="Earlier").click()
    page.wait_for_url(f"**/sightings/{ids['gone']}")


def test_a_wrong_name_is_taken_away_and_the_right_one_given(
    site: str, past: Past, ids: dict[str, str], open_page: OpenPage
) -> None:
    at = utc_now() - timedelta(days=3)
    (wrong,) = past.write(
        past.see("wrong", at, of=5, camera="cellar", slug="ada-lovelace", name=ADA)
    )
    page = open_page(f"{site}/sightings/{wrong}?camera=cellar")
    page.get_by_role("button", name=f"Not {ADA}").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Unknown 1 at cellar")
    assert page.url.endswith("?camera=cellar")
    page.fill("input[name=person]", "Grace Hopper")
    page.locator("#this-is").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Grace Hopper at cellar")


def test_what_is_filtered_is_downloaded_as_csv(
    site: str, ids: dict[str, str], open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(f"{site}/sightings?camera=gate")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Export CSV").click()
    download = waiting.value
    assert download.suggested_filename.startswith("sightings-2")
    path = tmp_path / "s.csv"
    download.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [ids["gone"], ids["other_day"]]
    assert {row["person"] for row in rows} == {ADA}


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("list", "/sightings?person=ada-lovelace"),
        ("none", "/sightings?camera=nowhere"),
        ("lanes", "/sightings?view=lanes&by=person"),
        ("figures", "/sightings?view=figures"),
        ("sighting", "/sightings/{proved}"),
    ],
)
def test_everybody_can_use_it(
    site: str,
    ids: dict[str, str],
    open_page: OpenPage,
    screenshot: Callable[..., Path],
    name: str,
    address: str,
) -> None:
    page = open_page(f"{site}{address.format(**ids)}", scheme="light")
    if name == "sighting":
        expect(page.locator(".chain")).to_be_visible()
    for size, scheme, rules in (
        (DESKTOP, "light", ()),
        (DESKTOP, "dark", ("color-contrast",)),
        (PHONE, "dark", ()),
        (PHONE, "light", ("color-contrast",)),
    ):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        accessible(page, *rules)
        screenshot(page, f"sightings-{name}-{scheme}-{size[0]}", whole=True)


def test_thousands_of_sightings_are_a_small_page(
    broker: str, past: Past, test_data: Path, tmp_path: Path, open_page: OpenPage
) -> None:
    with served_past(broker, "many-", tmp_path, past.jpegs) as many:
        an_evening(many, utc_now())
        many.write_many(6_000, utc_now() - timedelta(minutes=5), timedelta(seconds=14))
        with started(broker, many) as running:
            for address in ("", "?view=lanes", "?view=lanes&period=7d&by=person", "?view=figures"):
                answer = httpx.get(f"{running.url}/sightings{address}", timeout=30)
                assert answer.status_code == 200
                assert len(answer.content) < 200_000
            page = open_page(f"{running.url}/sightings?view=lanes")
            expect(page.get_by_text("These are the newest 5000 sightings")).to_be_visible()


def test_where_unknown_faces_are_blurred_their_pictures_are_too(
    broker: str, past: Past, site: str, ids: dict[str, str], open_page: OpenPage
) -> None:
    with started(broker, past, BLUR_UNKNOWN="true") as running:

        def got(sighting: str, url: str, what: str = "crop") -> httpx.Response:
            return httpx.get(f"{url}/sightings/{ids[sighting]}/{what}.jpg")

        assert got("proved", running.url).content == got("proved", site).content
        clear, blurred = got("stranger", site).content, got("stranger", running.url).content
        assert blurred[:2] == clear[:2]
        assert blurred != clear
        assert got("proved", site, "frame").status_code == 200
        refused = got("proved", running.url, "frame")
        assert refused.status_code == 403
        assert "whole frames are not shown" in refused.text
        page = open_page(f"{running.url}/sightings/{ids['stranger']}")
        expect(page.get_by_text("whole frames are not shown")).to_be_visible()
        page.close()  # before the viewer: what it still asks for would be an error


def test_what_is_no_sighting_is_404(site: str, ids: dict[str, str]) -> None:
    for path in ("0" * 32, "0" * 32 + "/crop.jpg", "x", "x/frame.jpg", "..%2f..%2fpeople"):
        assert httpx.get(f"{site}/sightings/{path}").status_code == 404
    assert httpx.get(f"{site}/sightings.csv?person=zoe").status_code == 422
