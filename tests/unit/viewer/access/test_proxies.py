from __future__ import annotations

from typing import Any

import pytest

from viewer.access.binding import bound_host, is_loopback
from viewer.access.csrf import is_foreign
from viewer.access.proxies import Origin, Proxies, is_forwarded


def request(client: str = "10.0.0.9", **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return {"client": (client, 5), "scheme": "http", "headers": pairs}


FORWARDED = {
    "host": "inner:5010",
    "x_forwarded_for": "203.0.113.7, 198.51.100.2, 10.0.0.8",
    "x_forwarded_proto": "https",
    "x_forwarded_host": "Cameras.example.org",
}


def test_a_trusted_proxy_is_believed() -> None:
    origin = Proxies(["10.0.0.0/8"]).origin(request(**FORWARDED))
    assert origin == Origin("198.51.100.2", "https", "cameras.example.org")
    assert origin.url == "https://cameras.example.org"


def test_anybody_else_is_not() -> None:
    for proxies in (Proxies(), Proxies(["192.0.2.1", "2001:db8::/32"])):
        origin = proxies.origin(request(**FORWARDED))
        assert origin == Origin("10.0.0.9", "http", "inner:5010")
    assert is_forwarded(request(**FORWARDED))
    assert not is_forwarded(request(host="a"))


@pytest.mark.parametrize(
    ("headers", "forwarded"),
    [
        ({}, False),
        ({"via": "1.1 cache"}, True),
        ({"referer": "http://127.0.0.1:5010/people"}, False),
        ({"origin": "http://127.0.0.1:5010"}, False),
        ({"origin": "null"}, False),
        ({"referer": "http://cameras.example.org/"}, True),
        ({"referer": "https://cameras.example.org/", "sec_fetch_site": "same-origin"}, True),
        ({"origin": "http://cameras.example.org"}, True),
        ({"referer": "http://127.0.0.1:8080/"}, True),
        ({"referer": "http://[::1"}, True),
        # A page of another site that links here, or shows a picture of here.
        ({"referer": "http://127.0.0.1:5011/docs", "sec_fetch_site": "same-site"}, False),
        ({"referer": "http://home.example.org/", "sec_fetch_site": "cross-site"}, False),
    ],
)
def test_a_proxy_that_says_nothing_of_itself_is_given_away_by_the_page_that_asks(
    headers: dict[str, str], forwarded: bool
) -> None:
    assert is_forwarded(request("127.0.0.1", host="127.0.0.1:5010", **headers)) is forwarded


def test_odd_forwarded_headers_are_passed_over() -> None:
    proxies = Proxies(["10.0.0.0/8"])
    odd = {"x_forwarded_for": "<script>", "x_forwarded_proto": "javascript"}
    assert proxies.origin(request(host="a", **odd)) == Origin("10.0.0.9", "http", "a")
    assert proxies.origin(request("::ffff:10.0.0.1", x_forwarded_for="192.0.2.5")).address == (
        "192.0.2.5"
    )
    assert proxies.origin({"headers": []}).address == "127.0.0.1"


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="proxy"):
        Proxies(["proxy.example.org"])


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"sec_fetch_site": "same-origin"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "same-site"}, True),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "cross-site", "origin": "http://a:5010"}, True),
        ({"origin": "http://a:5010"}, False),
        ({"origin": "https://own.example.org"}, False),
        ({"origin": "http://a:5011"}, True),
        ({"origin": "http://evil.example.org"}, True),
        ({"origin": "http://[::1"}, True),
        ({"origin": "null"}, False),
    ],
)
def test_browsers_tell_whose_page_asks(headers: dict[str, str], foreign: bool) -> None:
    origin = Origin("127.0.0.1", "http", "a:5010")
    assert is_foreign(request(**headers), origin, frozenset({"own.example.org"})) is foreign


@pytest.mark.parametrize(
    ("host", "has_login", "bound"),
    [
        ("127.0.0.1", False, "127.0.0.1"),
        ("localhost", False, "localhost"),
        ("::1", False, "::1"),
        ("192.0.2.5", True, "192.0.2.5"),
        ("192.0.2.5", False, "127.0.0.1"),
        ("::", False, "127.0.0.1"),
        ("cameras.example.org", False, "127.0.0.1"),
    ],
)
def test_without_a_login_only_this_machine_is_listened_to(
    host: str, has_login: bool, bound: str
) -> None:
    found, warning = bound_host(host, has_login=has_login)
    assert found == bound
    assert (warning is not None) == (found != host)
    if warning is not None:
        assert "VIEWER_PASSWORD_HASH" in warning
        assert "VIEWER_USERS" in warning
        assert "\n" not in warning


def test_names_are_no_loopback_address() -> None:
    assert not is_loopback("example.org")
    assert is_loopback("127.8.8.8")
