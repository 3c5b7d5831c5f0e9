"""People and one person in a browser: photos by every way there is, and what is done with them."""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESKTOP, OpenPage
from tests.browser.people_fixtures import (
    Room,
    a_room,
    assert_accessible,
    blurred,
    drop_files,
    fake_camera_film,
    look_everywhere,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

Screenshot = Callable[..., Path]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with a_room(tmp_path_factory.mktemp("people")) as room:
        yield room


@pytest.fixture
def room(house: Room) -> Room:
    """The services, and nobody enrolled."""
    house.clear()
    return house


@pytest.fixture
def lin(test_data: Path) -> Path:
    return test_data / "clip_hamilton" / "ref" / "lin_manuel_miranda.png"


@pytest.fixture
def alex(test_data: Path) -> Path:
    return test_data / "clip_hamilton" / "ref" / "alex_lacamoire.png"


def test_somebody_is_enrolled_by_choosing_photos_and_each_says_what_became_of_it(
    room: Room,
    open_page: OpenPage,
    lin: Path,
    test_data: Path,
    tmp_path: Path,
    screenshot: Screenshot,
) -> None:
    no_photo = tmp_path / "notes.jpg"
    no_photo.write_text("not a picture")
    page = open_page(room.people)
    expect(page.get_by_role("heading", name="Nobody is enrolled yet")).to_be_visible()
    assert_accessible(page)
    page.get_by_label("Name", exact=True).fill("Lin-Manuel Miranda")
    page.locator("#add-photos").set_input_files([lin, no_photo])
    expect(page.locator("#chosen li")).to_have_count(2)
    page.get_by_role("button", name="Add", exact=True).click()
    rows = page.locator("#outcomes > li")
    expect(rows.nth(0)).to_contain_text("Added to Lin-Manuel Miranda")
    expect(rows.nth(0).locator(".badge-soft.good").last).to_contain_text("good")
    expect(rows.nth(1)).to_contain_text("Not taken")
    rows.nth(0).locator(".quality summary").click()
    expect(rows.nth(0)).to_contain_text("Sharpness")
    expect(page.locator(".person-card")).to_contain_text("Lin-Manuel Miranda")
    expect(page.locator(".person-card")).to_contain_text("1 photo")
    assert_accessible(page)
    screenshot(page, "people-added")
    page.get_by_role("link", name="Open Lin-Manuel Miranda’s page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lin-Manuel Miranda")
    assert len(room.person("lin-manuel-miranda").json()["faces"]) == 1


def test_photos_dropped_on_a_card_are_that_person_s_and_elsewhere_begin_a_new_one(
    room: Room, open_page: OpenPage, lin: Path, test_data: Path
) -> None:
    room.enrol("Alex", test_data / "clip_hamilton" / "ref" / "alex_lacamoire.png")
    page = open_page(room.people)
    drop_files(page, '[data-slug="alex"] img', lin)
    expect(page.locator("#outcomes > li").first).to_contain_text("Added to Alex")
    expect(page.locator('[data-slug="alex"]')).to_contain_text("2 photos")
    drop_files(page, "h1", lin)
    expect(page.locator("#add")).to_have_attribute("open", "")
    expect(page.locator("#chosen li")).to_have_count(1)
    expect(page.get_by_label("Name", exact=True)).to_be_focused()


def test_a_photo_that_is_refused_says_why_and_may_be_taken_all_the_same(
    room: Room, open_page: OpenPage, lin: Path, alex: Path, tmp_path: Path
) -> None:
    heic = tmp_path / "IMG_1.jpg"
    heic.write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
    room.enrol("Lin", lin)
    page = open_page(f"{room.people}/lin")
    page.locator("#more-photos").set_input_files([blurred(alex, tmp_path / "soft.png"), heic])
    rows = page.locator("#outcomes > li")
    expect(rows.nth(1)).to_contain_text("This is a HEIC photo")
    expect(rows.nth(0)).to_contain_text("Not taken")
    rows.nth(0).get_by_role("button", name="Take it anyway").click()
    expect(rows.nth(0)).to_contain_text("Added to Lin")
    expect(rows.nth(0).locator(".quality")).to_contain_text("poor")
    expect(page.locator("#photos .photo")).to_have_count(1)
    page.reload()
    expect(page.locator("#photos .photo")).to_have_count(2)
    page.get_by_role("button", name="Remove photo 2").click()
    expect(page.locator("#photos .photo")).to_have_count(1)
    assert len(room.person("lin").json()["faces"]) == 1


def test_a_photo_that_looks_like_somebody_else_offers_to_merge_the_two(
    room: Room, open_page: OpenPage, lin: Path
) -> None:
    room.enrol("Lin", lin)
    page = open_page(room.people)
    page.locator("#add summary").first.click()
    page.get_by_label("Name", exact=True).fill("Manuel")
    page.locator("#add-photos").set_input_files(lin)
    page.get_by_role("button", name="Add", exact=True).click()
    row = page.locator("#outcomes > li")
    expect(row).to_contain_text("It looks like Lin as well")
    row.get_by_role("link", name="They are the same: merge").click()
    expect(page.get_by_text("Is Manuel the same as Lin?")).to_be_visible()
    expect(page.get_by_label("Merge into")).to_have_value("Lin")
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lin")
    assert room.person("manuel").status_code == 404


def test_somebody_is_enrolled_by_the_browser_s_camera(
    room: Room, chromium: Browser, lin: Path, tmp_path: Path, screenshot: Screenshot
) -> None:
    film = fake_camera_film(lin, tmp_path / "film.mjpeg")
    browser = chromium.browser_type.launch(
        executable_path=shutil.which("chromium"),
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        ],
    )
    try:
        page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
        page.goto(room.people)
        page.get_by_label("Name", exact=True).fill("Lin")
        page.get_by_role("button", name="Use this camera").click()
        shoot = page.get_by_role("button", name="Take a photo")
        expect(shoot).to_be_enabled()
        assert_accessible(page)
        shoot.click()
        expect(page.locator("#shots li")).to_have_count(1)
        page.get_by_role("button", name="In 3 s").click()
        expect(page.locator("#shots li")).to_have_count(2)
        screenshot(page, "people-camera")
        page.get_by_role("button", name="Take photo 2 away").click()
        expect(page.locator("#shots li")).to_have_count(1)
        page.get_by_role("button", name="Use these photos").click()
        expect(page.locator("#camera-dialog")).not_to_be_visible()
        expect(page.locator("#camera-preview")).to_have_js_property("srcObject", None)
        page.get_by_role("button", name="Add", exact=True).click()
        row = page.locator("#outcomes > li")
        expect(row).to_contain_text("Added to Lin")
    finally:
        browser.close()
    (face,) = room.person("lin").json()["faces"]
    assert (face["media_type"], face["width"], face["height"]) == ("image/jpeg", 640, 480)


def test_without_a_camera_the_dialog_says_so(room: Room, open_page: OpenPage) -> None:
    page = open_page(room.people)
    page.get_by_role("button", name="Use this camera").click()
    expect(page.locator("#camera-problem")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Use this camera")).to_be_focused()


def test_name_notes_and_threshold_are_changed(room: Room, open_page: OpenPage, lin: Path) -> None:
    room.enrol("Lin", lin)
    page = open_page(f"{room.people}/lin")
    page.get_by_label("Name", exact=True).fill("Lin-Manuel")
    page.get_by_label("Notes").fill("writes\nmusicals")
    page.locator("form", has=page.locator("#notes")).get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lin-Manuel")
    expect(page.get_by_label("Notes")).to_have_value("writes\nmusicals")
    expect(page.get_by_text("The default applies now (0.33).")).to_be_visible()
    page.locator("#threshold-slide").fill("0.5")
    expect(page.locator("#threshold")).to_have_value("0.50")
    page.locator("#threshold-form").get_by_role("button", name="Save").click()
    expect(page.get_by_text("The default is 0.33.")).to_be_visible()
    assert room.person("lin").json()["person"]["threshold"] == 0.5
    page.get_by_role("button", name="Use the default").click()
    expect(page.get_by_text("The default applies now (0.33).")).to_be_visible()
    person = room.person("lin").json()["person"]
    assert (person["threshold"], person["notes"]) == (None, "writes\nmusicals")


def test_the_past_is_searched_and_the_search_is_told_to_its_end(
    room: Room, open_page: OpenPage, lin: Path
) -> None:
    room.enrol("Lin", lin)
    page = open_page(f"{room.people}/lin")
    before = page.locator("#searches .search").count()
    page.get_by_label("How far back").select_option("30")
    page.locator("#past-form").get_by_role("button", name="Search").click()
    expect(page.locator("#searches .search")).to_have_count(before + 1)
    expect(page.locator("#searches .search").first).to_contain_text("done")


def test_erasing_says_what_goes_wants_the_name_and_shows_the_proof(
    room: Room, open_page: OpenPage, lin: Path, alex: Path, screenshot: Screenshot
) -> None:
    room.enrol("Lin", lin)
    room.enrol("Alex", alex)
    page = open_page(f"{room.people}/lin")
    page.get_by_role("link", name="Erase everything about Lin").click()
    expect(page.get_by_text("photos, with their embeddings: 1")).to_be_visible()
    expect(page.get_by_text("faces.person.lin")).to_be_visible()
    expect(page.get_by_text("what other programs have received already")).to_be_visible()
    assert_accessible(page)
    erase = page.get_by_role("button", name="Erase for good")
    expect(erase).to_be_disabled()
    page.get_by_label("Type the name to erase").fill("Alex")
    expect(erase).to_be_disabled()
    page.get_by_label("Type the name to erase").fill("lin")
    erase.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lin is erased")
    expect(page.get_by_text("nothing was found")).to_be_visible()
    expect(page.locator("#proof .facts").first).to_contain_text("photos")
    assert_accessible(page)
    screenshot(page, "people-erased")
    assert room.person("lin").status_code == 404
    assert room.person("alex").status_code == 200


def test_a_name_can_be_searched_and_the_list_goes_on(room: Room, open_page: OpenPage) -> None:
    room.fill(*(f"Person {number:02}" for number in range(30)))
    page = open_page(room.people, calm=False)  # their photos are no pictures
    expect(page.locator(".person-card")).to_have_count(24)
    page.get_by_role("link", name="More people").click()
    expect(page.locator(".person-card")).to_have_count(30)
    names = page.locator(".person-card strong").all_inner_texts()
    assert names == sorted(names)
    expect(page.get_by_role("link", name="More people")).to_have_count(0)
    page.get_by_label("Part of a name").fill("person 07")
    expect(page.locator(".person-card")).to_have_count(1)
    assert page.url.endswith("/people?q=person+07")
    page.get_by_label("Part of a name").fill("nobody")
    expect(page.get_by_text("Nobody’s name has “nobody” in it")).to_be_visible()


def test_everything_works_without_scripts(
    room: Room, open_page: OpenPage, lin: Path, alex: Path
) -> None:
    page = open_page(room.people, script=False, calm=False)
    page.get_by_label("Name", exact=True).fill("Lin <b>")
    page.get_by_label("Photos", exact=True).set_input_files([lin, lin])
    page.get_by_role("button", name="Add", exact=True).click()
    assert "Added to Lin <b>" in outcomes_of(page)[0]
    assert "has this photo already" in outcomes_of(page)[1]
    page.get_by_role("link", name="To Lin <b>’s page").click()
    page.get_by_label("Name", exact=True).fill("Lin")
    page.locator("form", has=page.locator("#notes")).get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lin")
    page.locator("#threshold").fill("0.41")
    page.locator("#threshold-form").get_by_role("button", name="Save").click()
    expect(page.locator("#threshold")).to_have_value("0.41")
    room.enrol("Alex", alex)
    page.get_by_label("Merge into").fill("nobody")
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_text("There is nobody called “nobody”.")).to_be_visible()
    page.go_back()
    page.get_by_label("Merge into").fill("alex")
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Alex")
    expect(page.locator("#photos .photo")).to_have_count(2)
    page.get_by_role("link", name="Erase everything about Alex").click()
    page.get_by_label("Type the name to erase").fill("Lin")
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_text("That is not the name. Nothing was erased.")).to_be_visible()
    page.get_by_label("Type the name to erase").fill("Alex")
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Alex is erased")


def outcomes_of(page: Page) -> list[str]:
    return page.locator(".outcomes > li").all_inner_texts()


def test_the_pages_fit_every_screen_and_everybody_can_use_them(
    room: Room, open_page: OpenPage, lin: Path, screenshot: Screenshot
) -> None:
    room.enrol("Lin-Manuel Miranda", lin)
    (number,) = room.meet(lin, times=3)
    room.name(number, "Lin-Manuel Miranda")
    page = open_page(room.people)
    for address, name in (
        (room.people, "people"),
        (f"{room.people}/lin-manuel-miranda", "person"),
        (f"{room.people}/lin-manuel-miranda/erase", "person-erase"),
    ):
        page.goto(address)
        if name == "people":
            page.locator("#add summary").first.click()
        for picture in page.locator("main img").all():
            expect(picture).to_have_js_property("complete", True)
            assert re.fullmatch(r"\d+", picture.get_attribute("width") or "")
        look_everywhere(page, functools.partial(keep, screenshot, page, name))


def keep(screenshot: Screenshot, page: Page, name: str, look: str) -> None:
    screenshot(page, f"{name}-{look}", whole=True)
