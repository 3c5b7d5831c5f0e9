"""Streams on real sockets: what goes over the wire, to browsers of every kind."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from services.records.jpeg import jpeg_size
from tests.certificates import make_certificate
from tests.integration.viewer.served import WAIT_S, Served, request, served
from tests.unit.viewer.pictures import SIZE, mark, noise
from tests.waiting import eventually
from viewer import wire

STREAM = "/stream/hall.mjpg"


@pytest.fixture
def site() -> Iterator[Served]:
    with served() as running:
        running.show(0, jpeg=noise(0))
        yield running


def test_the_last_frame_comes_at_once_and_then_each_once(site: Served) -> None:
    browser = site.ask(STREAM)
    status, headers = browser.head()
    assert status == 200
    assert headers["content-type"] == "multipart/x-mixed-replace; boundary=facestream"
    assert headers["cache-control"] == "no-store"
    assert browser.frame() == noise(0)
    for seq in range(1, 30):
        site.show(seq, jpeg=noise(seq))
        assert browser.frame() == noise(seq)


def test_without_tls_frames_go_straight_to_the_socket(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(wire, "AsgiSink")
    for version in ("1.1", "1.0"):
        browser = site.ask(STREAM, version=version)
        browser.head()
        assert browser.frame() == noise(0)


def test_a_connection_that_fetched_pages_goes_on_to_a_stream(site: Served) -> None:
    browser = site.ask("/")
    status, headers = browser.head()
    assert status == 200
    assert b"<html" in browser.body(headers)
    browser.ask("/snapshot/hall.jpg")
    _, headers = browser.head()
    assert browser.body(headers) == noise(0)
    browser.ask(STREAM)
    browser.head()
    assert browser.frame() == noise(0)


def test_requests_in_one_packet_are_answered_in_their_order(site: Served) -> None:
    browser = site.connect()
    paths = ("/api/state.json", "/snapshot/hall.jpg", STREAM, "/api/state.json")
    browser.wire.sendall(b"".join(request(path) for path in paths))
    _, headers = browser.head()
    assert b'"cameras"' in browser.body(headers)
    _, headers = browser.head()
    assert browser.body(headers) == noise(0)
    browser.head()
    assert browser.frame() == noise(0)
    site.show(1, jpeg=noise(1))
    assert browser.frame() == noise(1)


def test_after_a_stream_that_ended_the_connection_serves_the_next_request(site: Served) -> None:
    site.board.enrol([("sam", "Sam")])
    site.show(1, mark("sam", "Sam"))
    browser = site.connect()
    browser.wire.sendall(request("/stream/person/sam.mjpg") + request("/api/state.json"))
    browser.head()
    assert jpeg_size(browser.frame()) == SIZE
    site.live.changed(site.board.enrol([]))
    assert browser.rest() == b""
    _, headers = browser.head()
    assert b'"cameras"' in browser.body(headers)


def test_an_old_client_gets_a_stream_that_lasts_as_long_as_its_connection(site: Served) -> None:
    browser = site.ask(STREAM, version="1.0")
    _, headers = browser.head()
    assert "transfer-encoding" not in headers
    for seq in range(1, 5):
        assert browser.frame() == noise(seq - 1)
        site.show(seq, jpeg=noise(seq))
    site.stop()
    assert browser.frame() == noise(4)
    assert browser.ended()


@pytest.mark.parametrize("path", [STREAM, "/live?camera=hall", "/snapshot/hall.jpg"])
def test_the_head_alone_is_to_be_had(site: Served, path: str) -> None:
    browser = site.ask(path, method="HEAD")
    status, headers = browser.head()
    assert status == 200
    assert headers["cache-control"] == "no-store"
    browser.ask("/api/state.json")
    status, headers = browser.head()
    assert b'"cameras"' in browser.body(headers)
    assert site.streams() == 0


def test_other_methods_are_refused(site: Served) -> None:
    browser = site.ask(STREAM, method="DELETE")
    assert browser.head()[0] == 405


def test_a_browser_that_leaves_in_the_middle_of_a_frame_is_forgotten(site: Served) -> None:
    for leaving in range(10):
        browser = site.ask(STREAM)
        browser.wire.recv(100 + 997 * leaving)
        browser.close()
    eventually(lambda: site.streams() == 0)
    files = psutil.Process().num_fds()
    for _ in range(10):
        browser = site.ask(STREAM)
        browser.head()
        browser.frame()
        browser.close()
    eventually(lambda: site.streams() == 0)
    eventually(lambda: psutil.Process().num_fds() <= files)


def ask_and_read_nothing(site: Served) -> socket.socket:
    mute = socket.socket()
    mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    mute.connect(("127.0.0.1", site.port))
    mute.sendall(request(STREAM))
    return mute


@pytest.mark.parametrize("tls", [False, True])
def test_who_takes_nothing_for_long_is_let_go(
    tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "PATIENCE_S", 0.2)
    chain, key = make_certificate(tmp_path)
    env = {"VIEWER_TLS_CERT": str(chain), "VIEWER_TLS_KEY": str(key)} if tls else {}
    with served(env) as site:
        site.show(0, jpeg=noise(0))
        if tls:
            site.connect(ssl.create_default_context(cafile=str(chain))).ask(STREAM)
            eventually(lambda: site.streams() == 1)
        else:
            mute = ask_and_read_nothing(site)
            eventually(lambda: site.streams() == 1)
        numbers = itertools.count(1)
        eventually(lambda: shows_another(site, next(numbers)) and site.streams() == 0)
        if not tls:
            with pytest.raises(ConnectionResetError):
                read_all(mute)
            mute.close()


def shows_another(site: Served, seq: int) -> bool:
    site.show(seq, jpeg=noise(seq % 20))
    return True


def test_who_does_not_read_slows_nobody_and_takes_no_memory(site: Served) -> None:
    stuck = [ask_and_read_nothing(site) for _ in range(40)]
    eventually(lambda: site.streams() == 40)
    browser = site.ask(STREAM)
    browser.head()
    assert browser.frame() == noise(0)

    def watch(frames: range) -> None:
        for seq in frames:
            site.show(seq, jpeg=noise(seq % 20))
            assert browser.frame() == noise(seq % 20)

    watch(range(1, 41))
    before = psutil.Process().memory_info().rss
    watch(range(41, 441))
    grown_bytes = psutil.Process().memory_info().rss - before
    # One frame more for each of them would be 2 MB.
    assert grown_bytes < 8_000_000
    # What lies in the kernel for one of them are a few old frames, not all those missed.
    stuck[0].settimeout(1)
    behind = 0
    while behind < 3_000_000 and (data := _receive(stuck[0])):
        behind += len(data)
        if behind > 2_000_000:
            break
    assert 0 < behind < 2_000_000
    for mute in stuck:
        mute.close()


def _receive(mute: socket.socket) -> bytes:
    try:
        return mute.recv(65_536)
    except TimeoutError:
        return b""


def test_many_cameras_come_over_one_connection_each_frame_whole(site: Served) -> None:
    site.show(0, camera="yard", jpeg=noise(50))
    browser = site.ask("/live?camera=hall&camera=yard")
    status, headers = browser.head()
    assert (status, headers["content-type"]) == (200, "application/x-facestream-live")
    assert {browser.channel() for _ in range(2)} == {
        ("hall", noise(0)),
        ("yard", noise(50)),
    }
    for seq in range(1, 10):
        site.show(seq, camera="yard", jpeg=noise(50 + seq))
        assert browser.channel() == ("yard", noise(50 + seq))


def test_when_it_stops_streams_end_as_they_should(site: Served) -> None:
    browser, many = site.ask(STREAM), site.ask("/live?camera=hall")
    for each in (browser, many):
        each.head()
    assert browser.frame() == noise(0)
    assert many.channel() == ("hall", noise(0))
    site.stop()
    for each in (browser, many):
        assert each.rest() == b""
        assert each.ended()


def test_when_it_stops_who_does_not_read_is_cut_off(site: Served) -> None:
    mute = ask_and_read_nothing(site)
    eventually(lambda: site.streams() == 1)
    browser = site.ask(STREAM)
    browser.head()
    browser.frame()
    for seq in range(1, 60):
        site.show(seq, jpeg=noise(seq % 20))
        browser.frame()
    site.stop()
    mute.settimeout(WAIT_S)
    with pytest.raises(ConnectionResetError):
        read_all(mute)
    mute.close()


def read_all(mute: socket.socket) -> None:
    while mute.recv(65_536):
        pass


def test_a_phone_gets_the_size_and_the_rate_it_asks_for(site: Served) -> None:
    browser = site.ask(f"{STREAM}?fps=10&w=160")
    browser.head()
    assert jpeg_size(browser.frame()) == (160, 90)
    seen = 0
    began_s = time.monotonic()
    until_s = began_s + 1.5
    feeding = threading.Thread(target=feed, args=(site, until_s))
    feeding.start()
    while time.monotonic() < until_s - 0.3:
        assert jpeg_size(browser.frame()) == (160, 90)
        seen += 1
    took_s = time.monotonic() - began_s
    feeding.join()
    assert 2 <= seen <= 10 * took_s + 2


def feed(site: Served, until_s: float) -> None:
    """About a hundred frames a second."""
    seq = 1
    while time.monotonic() < until_s:
        site.show(seq, jpeg=noise(seq % 20))
        seq += 1
        time.sleep(0.01)


def test_over_tls_streams_are_the_same(tmp_path: Path) -> None:
    chain, key = make_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(chain))
    with served({"VIEWER_TLS_CERT": str(chain), "VIEWER_TLS_KEY": str(key)}) as site:
        site.show(0, jpeg=noise(0))
        browser = site.connect(trusting)
        browser.ask("/api/state.json")
        _, headers = browser.head()
        assert b'"cameras"' in browser.body(headers)
        browser.ask(STREAM)
        browser.head()
        assert browser.frame() == noise(0)
        for seq in range(1, 20):
            site.show(seq, jpeg=noise(seq))
            assert browser.frame() == noise(seq)


def test_over_tls_who_does_not_read_slows_nobody(tmp_path: Path) -> None:
    chain, key = make_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(chain))
    with served({"VIEWER_TLS_CERT": str(chain), "VIEWER_TLS_KEY": str(key)}) as site:
        site.show(0, jpeg=noise(0))
        for _ in range(5):
            site.connect(trusting).ask(STREAM)
        browser = site.connect(trusting)
        browser.ask(STREAM)
        browser.head()
        assert browser.frame() == noise(0)
        for seq in range(1, 120):
            site.show(seq, jpeg=noise(seq % 20))
            assert browser.frame() == noise(seq % 20)
        assert site.streams() == 6
