"""Strangers in a browser: who they are, one by one or several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.people_fixtures import Room, a_room, assert_accessible, look_everywhere

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

Screenshot = Callable[..., Path]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with a_room(tmp_path_factory.mktemp("unknown")) as room:
        yield room


@pytest.fixture
def room(house: Room) -> Room:
    """The services, and nobody seen."""
    house.clear()
    return house


@pytest.fixture
def lin(test_data: Path) -> Path:
    return test_data / "clip_hamilton" / "ref" / "lin_manuel_miranda.png"


@pytest.fixture
def five(test_data: Path, lin: Path) -> list[Path]:
    """Photos of five people."""
    return [
        lin,
        lin.with_name("alex_lacamoire.png"),
        test_data / "clip_obama_dinner" / "ref" / "barack_obama.jpg",
        test_data / "clip_obama_dinner" / "ref" / "joe_biden.jpg",
        test_data / "clip_elon_gif" / "ref" / "elon_musk.jpg",
    ]


def choose(page: Page, number: int, *, shift: bool = False) -> None:
    box = page.get_by_label(f"Choose unknown {number}", exact=True)
    box.click(modifiers=["Shift"] if shift else [])


def shown(page: Page) -> list[int]:
    cards = page.locator(".stranger").all()
    return [int(each.get_attribute("data-number") or 0) for each in cards]


def test_nobody_unknown_is_said_and_what_to_expect(room: Room, open_page: OpenPage) -> None:
    page = open_page(room.unknown)
    expect(page.get_by_role("heading", name="No strangers")).to_be_visible()
    assert_accessible(page)


def test_a_stranger_is_named_and_what_that_came_to_is_told(
    room: Room, open_page: OpenPage, lin: Path, screenshot: Screenshot
) -> None:
    (number,) = room.meet(lin, times=3)
    page = open_page(room.unknown)
    stranger = page.locator(f'.stranger[data-number="{number}"]')
    expect(stranger).to_contain_text("seen 3 times")
    expect(stranger).to_contain_text("hall")
    expect(stranger.locator("img")).to_have_count(3)
    screenshot(page, "unknown")
    stranger.get_by_label(f"Name of unknown {number}").fill("Lin")
    stranger.get_by_role("button", name="Name").click()
    told = page.locator("#told")
    said = f"Unknown {number} is Lin now: 3 past sightings carry the name."
    expect(told).to_contain_text(said)
    expect(told).to_contain_text("of the crops.")
    expect(stranger).to_have_count(0)
    assert room.person("lin").json()["person"]["sightings"] == 3


def test_names_of_the_gallery_are_offered_while_one_is_typed(
    room: Room, open_page: OpenPage, lin: Path, five: list[Path]
) -> None:
    room.enrol("Alexander", five[1])
    room.enrol("Lin", lin)
    (number,) = room.meet(five[2])
    page = open_page(room.unknown)
    page.get_by_label(f"Name of unknown {number}").fill("alex")
    options = page.locator("#people-names option")
    expect(options).to_have_count(1)
    expect(options).to_have_attribute("value", "Alexander")


def test_several_are_chosen_with_shift_and_named_as_one(
    room: Room, open_page: OpenPage, five: list[Path], screenshot: Screenshot
) -> None:
    numbers = room.meet(*five)
    page = open_page(room.unknown)
    expect(page.locator("#many")).not_to_be_visible()
    everyone = shown(page)
    assert sorted(everyone) == sorted(numbers)
    choose(page, everyone[0])
    choose(page, everyone[2], shift=True)
    expect(page.locator("#many-count")).to_have_text("3 chosen")
    assert_accessible(page)
    screenshot(page, "unknown-several")
    page.locator("#many-name").fill("Somebody")
    page.get_by_role("button", name="Name all").click()
    expect(page.locator(".stranger")).to_have_count(2)
    expect(page.locator("#told > p")).to_have_count(3)
    expect(page.locator("#many")).not_to_be_visible()
    assert sorted(shown(page)) == sorted(everyone[3:])
    assert room.person("somebody").json()["person"]["sightings"] == 3


def test_several_are_merged_into_the_oldest_and_ignored(
    room: Room, open_page: OpenPage, five: list[Path]
) -> None:
    numbers = room.meet(*five)
    page = open_page(room.unknown)
    for number in numbers[1:3]:
        choose(page, number)
    page.locator("#many").get_by_role("button", name="Merge").click()
    said = f"Unknown {numbers[2]} is unknown {numbers[1]} now."
    expect(page.locator("#told")).to_contain_text(said)
    merged = page.locator(f'.stranger[data-number="{numbers[1]}"]')
    expect(merged).to_contain_text("seen 2 times")
    for number in (numbers[0], numbers[3]):
        choose(page, number)
    page.locator("#many").get_by_role("button", name="Ignore").click()
    expect(page.locator(".stranger")).to_have_count(2)
    page.get_by_role("link", name="Show ignored").click()
    expect(page.locator(".stranger.ignored")).to_have_count(2)
    page.get_by_label(f"More for unknown {numbers[0]}", exact=True).click()
    page.get_by_role("button", name="Do not ignore any more").click()
    expect(page.locator(".stranger.ignored")).to_have_count(1)


def test_who_cannot_be_named_yet_says_why_and_stays(
    room: Room, open_page: OpenPage, lin: Path
) -> None:
    (number,) = room.meet(lin)
    page = open_page(room.unknown)
    page.get_by_label(f"Name of unknown {number}").fill("a/b")
    page.locator(".stranger").get_by_role("button", name="Name").click()
    expect(page.locator("#told .message")).to_contain_text("slash")
    expect(page.locator(".stranger")).to_have_count(1)


def test_one_stranger_s_page_shows_every_picture_and_forgets_them(
    room: Room, open_page: OpenPage, lin: Path, five: list[Path], screenshot: Screenshot
) -> None:
    (number,) = room.meet(lin, times=4)
    room.meet(five[4])
    page = open_page(room.unknown)
    page.get_by_role("link", name=f"Unknown {number}", exact=True).click()
    expect(page.locator(".pictures img")).to_have_count(4)
    assert_accessible(page)
    screenshot(page, "unknown-one")
    page.locator("#forget summary").click()
    page.get_by_role("button", name="Forget for good").click()
    said = f"Unknown {number} is forgotten: 4 sightings, 4 crops."
    expect(page.locator("#told")).to_contain_text(said)
    assert httpx.get(f"{room.api}/unknowns/{number}").status_code == 404


def test_who_comes_appears_without_a_reload_and_moves_nothing_that_is_about_to_be_clicked(
    room: Room, open_page: OpenPage, five: list[Path], screenshot: Callable[..., Path]
) -> None:
    page = open_page(room.unknown)
    with page.expect_response("**/events"):
        page.reload()
    (first,) = room.meet(five[0], told=True)
    expect(page.locator(f'.stranger[data-number="{first}"]')).to_be_visible()
    page.locator("h1").hover()
    (second,) = room.meet(five[1], told=True)
    expect(page.locator(".stranger")).to_have_count(2)
    assert shown(page) == [second, first]
    page.get_by_label(f"Name of unknown {first}").fill("Li")
    (third,) = room.meet(five[2], told=True)
    news = page.get_by_role("button", name="1 new stranger: show")
    expect(news).to_be_visible()
    screenshot(page, "unknown-news")
    assert shown(page) == [second, first]
    expect(page.get_by_label(f"Name of unknown {first}")).to_have_value("Li")
    news.click()
    assert shown(page) == [third, second, first]


def test_everything_works_without_scripts(
    room: Room, open_page: OpenPage, five: list[Path]
) -> None:
    numbers = room.meet(*five)
    page = open_page(room.unknown, script=False)
    for number in numbers[:2]:
        choose(page, number)
    page.locator("#many-name").fill("Sam")
    page.get_by_role("button", name="Name all").click()
    expect(page.locator("#told > p")).to_have_count(2)
    expect(page.locator(".stranger")).to_have_count(3)
    page.get_by_role("link", name=f"Unknown {numbers[4]}", exact=True).click()
    page.get_by_label("Same as unknown number").fill(str(numbers[3]))
    page.get_by_role("button", name="Merge").click()
    expect(page.locator(".stranger")).to_have_count(2)
    page.get_by_label(f"Name of unknown {numbers[2]}").fill("Barack")
    stranger = page.locator(f'.stranger[data-number="{numbers[2]}"]')
    stranger.get_by_role("button", name="Name").click()
    expect(page.locator(".stranger")).to_have_count(1)
    assert room.person("barack").json()["person"]["sightings"] == 1


def test_the_page_fits_every_screen_and_everybody_can_use_it(
    room: Room, open_page: OpenPage, five: list[Path], screenshot: Screenshot
) -> None:
    numbers = room.meet(*five, times=2)
    page = open_page(room.unknown)
    choose(page, numbers[0])
    look_everywhere(page, lambda look: screenshot(page, f"unknown-{look}", whole=True))
