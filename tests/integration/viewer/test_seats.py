"""How many streams one visitor may have open, on real sockets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from services.access import hash_password
from tests.integration.viewer.served import Browser, Served, served
from tests.unit.viewer.pictures import noise
from tests.waiting import eventually
from viewer.access.sessions import Sessions
from viewer.access.tokens import StreamTokens

SECRET = "a secret of the tests"
KEY = hashlib.sha256(SECRET.encode()).digest()
HASH = hash_password("correct horse")
STREAM = "/stream/hall.mjpg"
EACH = 3


@pytest.fixture
def site() -> Iterator[Served]:
    env = {"VIEWER_PASSWORD_HASH": HASH, "VIEWER_SECRET": SECRET, "MAX_STREAMS": "8"}
    with served({**env, "MAX_STREAMS_PER_VISITOR": str(EACH)}) as running:
        running.show(0, jpeg=noise(0))
        yield running


def logged_in() -> str:
    """The cookie of a browser that knew the password."""
    sessions = Sessions(KEY)
    stamp = hashlib.sha256(HASH.encode()).hexdigest()[:32]
    begun = sessions.begin("admin", "admin", stamp, "password")
    return sessions.set_cookie(begun, secure=False).partition(";")[0]


def watch(site: Served, target: str, cookie: str = "") -> tuple[int, Browser]:
    browser = site.connect()
    lines = [f"GET {target} HTTP/1.1", "Host: localhost", f"Cookie: {cookie}", "", ""]
    browser.wire.sendall("\r\n".join(lines).encode())
    status, headers = browser.head()
    if status != 200:
        assert b"MAX_STREAMS" in browser.body(headers) or status == 503
    return status, browser


def test_one_visitor_does_not_take_the_streams_of_all(site: Served) -> None:
    first, second = logged_in(), logged_in()
    streams = [watch(site, STREAM, first) for _ in range(EACH)]
    streams.append(watch(site, "/live?camera=hall", second))
    assert [status for status, _ in streams] == [200] * (EACH + 1)
    assert watch(site, STREAM, first)[0] == 429
    assert watch(site, "/live?camera=hall", first)[0] == 429
    eventually(lambda: site.streams() == EACH + 1)
    streams[0][1].close()
    eventually(lambda: site.streams() == EACH)
    assert watch(site, STREAM, first)[0] == 200


def test_stream_tokens_are_counted_by_address_however_many_there_are(site: Served) -> None:
    tokens = StreamTokens(KEY)
    asked = []
    for seconds in range(EACH + 1):
        token, _ = tokens.sign("camera/hall", 3_600 + seconds)
        asked.append(watch(site, f"{STREAM}?token={token}")[0])
    assert asked == [*[200] * EACH, 429]


def test_there_is_an_end_for_all_together(site: Served) -> None:
    asked = [watch(site, STREAM, cookie)[0] for cookie in 3 * [logged_in() for _ in range(3)]]
    assert asked == [*[200] * 8, 503]


def test_without_a_login_there_is_no_limit_for_one() -> None:
    with served({"MAX_STREAMS_PER_VISITOR": "1"}) as own:
        own.show(0, jpeg=noise(0))
        assert [watch(own, STREAM)[0] for _ in range(5)] == [200] * 5
