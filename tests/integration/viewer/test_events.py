"""What the identifier says reaches every browser, and what was missed is looked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.integration.viewer.served import Browser, served
from viewer import events


class Telling(ThreadingHTTPServer):
    """Stands where the identifier is: every stream of events says who came, and ends when told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Stream)
        self.streams = 0
        self.may_end = threading.Event()
        self.left = threading.Event()


class _Stream(BaseHTTPRequestHandler):
    server: Telling

    def do_GET(self) -> None:
        self.server.streams += 1
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        said = json.dumps({"type": "person_enter", "stream": self.server.streams})
        self.wfile.write(f"data: {said}\n\n".encode())
        self.connection.settimeout(0.05)
        while not self.server.may_end.is_set():
            with suppress(TimeoutError):
                if not self.connection.recv(1):
                    return self.server.left.set()
        self.server.may_end.clear()
        return None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@pytest.fixture
def telling() -> Iterator[Telling]:
    server = Telling()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.may_end.set()
    server.shutdown()
    server.server_close()


def heard(browser: Browser) -> dict[str, Any]:
    """The next event that a browser is told of."""
    while not (line := browser.line()).startswith(b"data: "):
        assert line, "the stream ended"
    said: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return said


def test_when_the_identifier_is_back_browsers_are_told_to_look_again(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_RETRY_S", 0.1)
    with served({"IDENTIFIER_URL": f"http://127.0.0.1:{telling.server_port}"}) as site:
        browser = site.ask("/events")
        assert browser.head()[0] == 200
        assert heard(browser) == {"type": "person_enter", "stream": 1}
        telling.may_end.set()
        assert heard(browser) == {"type": "again"}
        assert heard(browser) == {"type": "person_enter", "stream": 2}


def test_who_was_answered_before_the_identifier_was_there_is_told_once_it_is(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_RETRY_S", 0.1)
    monkeypatch.setattr(events, "_CONNECT_WITHIN_S", 0.0)
    with served({"IDENTIFIER_URL": f"http://127.0.0.1:{telling.server_port}"}) as site:
        browser = site.ask("/events")
        assert browser.head()[0] == 200
        assert heard(browser) == {"type": "again"}
        assert heard(browser) == {"type": "person_enter", "stream": 1}


def test_from_page_to_page_the_connection_to_the_identifier_stays(telling: Telling) -> None:
    with served({"IDENTIFIER_URL": f"http://127.0.0.1:{telling.server_port}"}) as site:
        first = site.ask("/events")
        assert first.head()[0] == 200
        heard(first)
        first.close()
        second = site.ask("/events")
        assert second.head()[0] == 200
        assert telling.streams == 1


def test_nobody_listens_to_the_identifier_for_nobody(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_LINGER_S", 0.0)
    with served({"IDENTIFIER_URL": f"http://127.0.0.1:{telling.server_port}"}) as site:
        for stream in (1, 2):
            browser = site.ask("/events")
            assert browser.head()[0] == 200
            assert heard(browser) == {"type": "person_enter", "stream": stream}
            browser.close()
            assert telling.left.wait(20)
            telling.left.clear()
