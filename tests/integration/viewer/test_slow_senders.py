"""Browsers that send their forms slowly, too long or only half: pages go on for everybody else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from services.access import hash_password
from tests.integration.viewer.served import Browser, Served, served
from viewer import bodies
from viewer.bodies import STRANGERS, VISITORS, Limits

PASSWORD = "correct horse"
MANY = 24  # three for every thread that makes pages


@pytest.fixture
def site() -> Iterator[Served]:
    with served({"VIEWER_PASSWORD_HASH": hash_password(PASSWORD), "VIEWER_SECRET": "s" * 32}) as it:
        yield it


@pytest.fixture
def open_site() -> Iterator[Served]:
    with served() as it:
        yield it


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Accept: text/html", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def send(site: Served, *parts: bytes) -> Browser:
    browser = site.connect()
    browser.wire.sendall(b"".join(parts))
    return browser


def page(browser: Browser) -> tuple[int, str]:
    status, headers = browser.head()
    return status, browser.body(headers).decode()


def test_half_a_form_from_many_keeps_no_page_from_anybody(site: Served) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    for _ in range(MANY):
        send(site, head("/login", form, "Content-Length: 60000"), b"name=admin&")
    status, text = page(send(site, head("/login", method="GET")))
    assert status == 200
    for asset in re.findall(r'"(/assets/[^"]+\.css)"', text):
        assert page(send(site, head(asset, method="GET")))[0] == 200


def test_who_is_logged_in_sends_half_an_upload_and_pages_go_on(open_site: Served) -> None:
    for _ in range(MANY):
        send(open_site, head("/people", "Content-Length: 5000000"), bytes(100_000))
    assert page(send(open_site, head("/account", method="GET")))[0] == 200


@pytest.mark.parametrize(("name", "path"), [("STRANGERS", "/login"), ("VISITORS", "/account")])
def test_a_body_that_does_not_come_in_time_is_answered_408_and_the_connection_ends(
    open_site: Served, monkeypatch: pytest.MonkeyPatch, name: str, path: str
) -> None:
    monkeypatch.setattr(bodies, name, Limits(65_536, within_s=60, pause_s=0.1))
    browser = send(open_site, head(path, "Content-Length: 60000"), b"name=admin&")
    status, text = page(browser)
    assert (status, "did not come in time" in text) == (408, True)
    assert browser.ended()


def test_a_body_may_not_drip_for_ever(open_site: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "STRANGERS", Limits(65_536, within_s=0.3, pause_s=60))
    browser = send(open_site, head("/login", "Content-Length: 60000"), b"n")
    assert page(browser)[0] == 408


def test_strangers_send_little(site: Served) -> None:
    length = STRANGERS.most_bytes + 1
    declared = send(site, head("/login", f"Content-Length: {length}"))
    assert page(declared)[0] == 413
    chunk = b"8000\r\n" + bytes(0x8000) + b"\r\n"
    chunked = send(site, head("/login", "Transfer-Encoding: chunked"), chunk * 2, chunk)
    status, text = page(chunked)
    assert (status, "more than can be taken" in text) == (413, True)
    # Nothing is read of them where they may not be: the gate answers at once.
    upload = send(site, head("/people", f"Content-Length: {VISITORS.most_bytes}"))
    assert upload.head()[0] == 303


def test_there_is_an_end_to_what_lies_here(
    open_site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_long = send(open_site, head("/people", f"Content-Length: {VISITORS.most_bytes + 1}"))
    assert page(too_long)[0] == 413
    monkeypatch.setattr(bodies, "_STRANGERS_ROOM_BYTES", 100_000)
    with served() as small:
        for _ in range(2):
            browser = send(small, head("/login", "Content-Length: 60000"), bytes(59_999))
        status, headers = browser.head()
        assert (status, headers["retry-after"]) == (503, "5")
        # Whoever is known has a room of their own: this is refused for what is in it.
        assert page(send(small, head("/account", "Content-Length: 9"), bytes(9)))[0] == 403


@pytest.mark.parametrize("chunked", [False, True])
def test_a_form_arrives_whole_however_it_is_cut(site: Served, chunked: bool) -> None:
    browser = site.connect()
    browser.wire.sendall(head("/login", method="GET"))
    status, headers = browser.head()
    assert status == 200
    token = re.search(r'name="csrf_token" value="(\w+)"', browser.body(headers).decode())
    assert token is not None
    cookie = f"Cookie: {headers['set-cookie'].partition(';')[0]}"
    form = f"csrf_token={token[1]}&name=admin&password={PASSWORD.replace(' ', '+')}".encode()
    kind = "Content-Type: application/x-www-form-urlencoded"
    if chunked:
        pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in form) + b"0\r\n\r\n"
        browser.wire.sendall(head("/login", kind, cookie, "Transfer-Encoding: chunked") + pieces)
    else:
        browser.wire.sendall(head("/login", kind, cookie, f"Content-Length: {len(form)}"))
        for byte in form:
            browser.wire.sendall(bytes([byte]))
    assert browser.head()[0] == 303


def test_an_upload_of_several_pieces_is_what_was_sent(open_site: Served) -> None:
    browser = open_site.connect()
    browser.wire.sendall(head("/account", method="GET"))
    _, headers = browser.head()
    token = re.search(r'name="csrf-token" content="(\w+)"', browser.body(headers).decode())
    assert token is not None
    cookie = f"Cookie: {headers['set-cookie'].partition(';')[0]}"
    photo = b"\x00\x00\x00\x18ftypheic" + bytes(5_000_000)
    parts = (("csrf_token", "", token[1].encode()), ("name", "", b"Sam"), ("file", "a.heic", photo))
    body = b"".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"'.encode()
        + (f'; filename="{file}"' if file else "").encode()
        + b"\r\n\r\n"
        + data
        + b"\r\n"
        for name, file, data in parts
    )
    kind = "Content-Type: multipart/form-data; boundary=x"
    whole = body + b"--x--\r\n"
    browser.wire.sendall(head("/people", kind, cookie, f"Content-Length: {len(whole)}") + whole)
    status, text = page(browser)
    # That it is no picture it can read is seen in the photo itself.
    assert (status, "HEIC" in text, "a.heic" in text) == (200, True, True)
