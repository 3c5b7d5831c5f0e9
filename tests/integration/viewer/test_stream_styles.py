"""Names, boxes and blurred heads: what a client asks for, and what the server insists on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.viewer.served import Served, served
from tests.unit.viewer.pictures import mark, noise

STREAM = "/stream/hall.mjpg"


@pytest.fixture
def site() -> Iterator[Served]:
    with served() as running:
        running.show(0, jpeg=noise(0))
        yield running


def test_every_way_to_a_picture_knows_the_styles(site: Served) -> None:
    site.show(1, mark("sam", "Sam"), mark(x=200), jpeg=noise(1))
    for path in ("/snapshot/hall.jpg", "/snapshot/person/sam.jpg"):
        seen = {snapshot(site, path + query) for query in ("", "?names=0", "?boxes=0", "?blur=1")}
        assert len(seen) == 4
        assert snapshot(site, f"{path}?names=0&boxes=0") == noise(1)
    plain, bare = site.ask(STREAM), site.ask(f"{STREAM}?names=0&boxes=0")
    for browser in (plain, bare):
        browser.head()
    assert plain.frame() != noise(1)
    assert bare.frame() == noise(1)
    many = site.ask("/live?person=sam&names=0&boxes=0")
    many.head()
    assert many.channel() == ("sam", noise(1))


@pytest.mark.parametrize("path", [STREAM, "/snapshot/hall.jpg", "/live"])
def test_a_style_that_makes_no_sense_is_refused_in_words(site: Served, path: str) -> None:
    browser = site.connect()
    for query in ("names=yes", "boxes=2", "blur", "blur=", "blur=true", "w=x"):
        browser.ask(f"{path}?camera=hall&{query}")
        status, headers = browser.head()
        assert status == 400
        assert query.partition("=")[0].encode() in browser.body(headers)


def test_what_the_server_blurs_no_query_undoes() -> None:
    with served({"BLUR_UNKNOWN": "true"}) as site:
        site.show(0, mark("sam", "Sam"), mark(x=200), jpeg=noise(0))
        bare = "names=0&boxes=0"
        for path in ("/snapshot/hall.jpg", "/snapshot/person/sam.jpg"):
            pictures = {snapshot(site, f"{path}?{bare}{blur}") for blur in ("", "&blur=0")}
            assert pictures == {snapshot(site, f"{path}?{bare}&blur=1")}
            assert noise(0) not in pictures
        for path in (STREAM, "/stream/person/sam.mjpg"):
            browser = site.ask(f"{path}?{bare}&blur=0")
            browser.head()
            assert browser.frame() in pictures
        many = site.ask(f"/live?camera=hall&{bare}&blur=0")
        many.head()
        assert many.channel()[1] in pictures


def snapshot(site: Served, target: str) -> bytes:
    browser = site.ask(target)
    status, headers = browser.head()
    assert status == 200
    return browser.body(headers)
