"""The REST API over https, as viewer, producer and command line ask it; over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from identifier.api.app import make_app
from identifier.api.cameras import camera_routes
from identifier.api.guard import Access
from identifier.api.people import people_routes
from identifier.api.server import ApiServer
from identifier.enrolment import Enroller
from identifier.gallery.recognisers import Recognisers
from identifier.gallery.reembedding import Reembedding
from identifier.gallery.store import GalleryStore
from identifier.gallery.watcher import GalleryWatcher
from identifier.people import People
from producer import identifier as producers
from services.certificate import Certificate, trust
from services.cli.checks import listening
from services.cli.people import command
from services.errors import FacestreamError, ModelError
from services.lifecycle.health import Health
from services.models.analysis import FaceAnalyser
from tests.certificates import Authority
from tests.integration.identifier.cameras.conftest import Desk
from tests.integration.identifier.conftest import LIMITS
from viewer import identifier as viewers
from viewer.events import Events
from viewer.system.system import identifier_check
from viewer.texts import Texts

TOKEN = "correct horse battery staple"
ME = producers.Me("a" * 32, "0.1")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def certificate(authority: Authority) -> Certificate:
    """For localhost, not for its address."""
    return authority.make("localhost")


Serve = Callable[[Certificate | None], int]


@pytest.fixture
def serve(desk: Desk) -> Iterator[Serve]:
    """Serves cameras and an empty gallery; gives the port."""
    store = GalleryStore(desk.database)
    enroller = Enroller(_no_models, LIMITS)
    people = People(store, GalleryWatcher(store, Health()), enroller)
    reembedding = Reembedding(Recognisers(desk.database), enroller, "buffalo_s", Health())
    routers = [camera_routes(desk.rooms), people_routes(people, reembedding)]
    access = Access.on_loopback("127.0.0.1", TOKEN, 8_000_000)
    with ExitStack() as at_exit:

        def start(certificate: Certificate | None) -> int:
            app = make_app(people, Health(), access, routers)
            server = ApiServer(app, "127.0.0.1", 0, certificate)
            server.start()
            at_exit.callback(server.stop)
            return server.port

        yield start


def _no_models() -> FaceAnalyser:
    raise ModelError("nobody is enrolled here")


@pytest.fixture
def port(serve: Serve, certificate: Certificate) -> int:
    """Where an identifier answers over https."""
    return serve(certificate)


def seen_by_viewer(url: str, ca: Path | None) -> str:
    """What a viewer gets to hear: how many people there are, or why not."""
    with contextlib.closing(viewers.Identifier(url, TOKEN, trust(ca))) as asked:
        try:
            return f"{len(asked.get('/people')['people'])} people"
        except viewers.IdentifierAway as away:
            return str(away)


def seen_by_producer(url: str, ca: Path | None) -> str:
    """The same of a producer."""
    with contextlib.closing(producers.Identifier(url, TOKEN, ME, trust=trust(ca))) as asked:
        try:
            return f"{len(asked.report([]).cameras)} cameras"
        except producers.IdentifierAway as away:
            return str(away)


def test_with_its_authority_viewer_and_producer_are_answered(
    port: int, authority: Authority
) -> None:
    url = f"https://localhost:{port}"
    assert seen_by_viewer(url, authority.file) == "0 people"
    assert seen_by_producer(url, authority.file) == "0 cameras"


def test_without_its_authority_they_refuse_and_say_what_to_set(port: int) -> None:
    url = f"https://localhost:{port}"
    for said in (seen_by_viewer(url, None), seen_by_producer(url, None)):
        assert "not trusted" in said
        assert "set IDENTIFIER_CA" in said
        assert "\n" not in said


def test_another_authority_is_no_authority(port: int, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other").file
    for said in (
        seen_by_viewer(f"https://localhost:{port}", other),
        seen_by_producer(f"https://localhost:{port}", other),
    ):
        assert "set IDENTIFIER_CA" in said


def test_under_another_name_they_refuse_whoever_vouches(port: int, authority: Authority) -> None:
    url = f"https://127.0.0.1:{port}"
    for said in (seen_by_viewer(url, authority.file), seen_by_producer(url, authority.file)):
        assert "is for another name" in said
        assert "IDENTIFIER_CA" not in said


def test_what_has_expired_is_told_so(serve: Serve, authority: Authority) -> None:
    past = authority.make("localhost", valid=timedelta(hours=-1))
    url = f"https://localhost:{serve(past)}"
    assert "does not hold (certificate has expired)" in seen_by_viewer(url, authority.file)
    assert "does not hold (certificate has expired)" in seen_by_producer(url, authority.file)


def test_plain_http_is_not_answered(port: int, authority: Authority) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://localhost:{port}/api/v1/health", trust_env=False)
    assert "does not answer" in seen_by_viewer(f"http://localhost:{port}", authority.file)


def test_https_to_one_that_speaks_http_is_told_apart(serve: Serve, authority: Authority) -> None:
    url = f"https://localhost:{serve(None)}"
    assert "TLS with it fails" in seen_by_viewer(url, authority.file)
    assert "TLS with it fails" in seen_by_producer(url, authority.file)


def test_the_system_page_and_the_doctor_see_it(port: int, authority: Authority) -> None:
    def page(ca: Path | None) -> tuple[str, str, str]:
        asked = viewers.Identifier(f"https://localhost:{port}", TOKEN, trust(ca))
        with contextlib.closing(asked):
            check = identifier_check(asked, Texts())
        return check.state, check.detail, check.fix

    assert page(authority.file) == ("ok", f"https://localhost:{port} answers", "")
    state, detail, fix = page(None)
    assert state == "fail"
    assert "not trusted" in detail
    assert "IDENTIFIER_CA" in fix
    # The doctor knocks and leaves again; that is nobody's end.
    assert listening("API", "API_PORT", port).detail == f"{port} is in use"
    assert seen_by_viewer(f"https://localhost:{port}", authority.file) == "0 people"


@pytest.fixture
def shell(port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> int:
    """Somebody's environment who knows the address and the token; the port."""
    monkeypatch.setenv("IDENTIFIER_URL", f"https://localhost:{port}")
    monkeypatch.setenv("IDENTIFIER_TOKEN", TOKEN)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("IDENTIFIER_CA", raising=False)
    return port


def test_the_command_line_asks_over_https(
    shell: int,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main(["list", "--identifier-ca", str(authority.file)]) == 0
    by_flag = capsys.readouterr().out
    monkeypatch.setenv("IDENTIFIER_CA", str(authority.file))
    assert command.main(["list"]) == 0
    assert capsys.readouterr().out == by_flag


def test_the_command_line_says_in_one_line_what_to_set(shell: int, tmp_path: Path) -> None:
    with pytest.raises(FacestreamError) as caught:
        command.main(["list"])
    assert str(caught.value).startswith(f"no asking the identifier at https://localhost:{shell}: ")
    assert "set IDENTIFIER_CA" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command_line_says_that_http_may_be_the_mistake(
    shell: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTIFIER_URL", f"http://localhost:{shell}")
    with pytest.raises(FacestreamError, match="https") as caught:
        command.main(["list"])
    assert "\n" not in str(caught.value)


async def one_event(events: Events) -> bytes:
    """The first event that a browser gets."""
    got: asyncio.Queue[bytes] = asyncio.Queue()
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        body = message.get("body", b"")
        if body.startswith(b"data:"):
            got.put_nowait(body)

    browser = asyncio.create_task(events({"type": "http"}, receive, send))
    try:
        async with asyncio.timeout(20):
            return await got.get()
    finally:
        left.set()
        await browser


def test_events_come_over_https_too(authority: Authority, certificate: Certificate) -> None:
    app = FastAPI()

    async def said() -> AsyncIterator[bytes]:
        yield b"data: somebody came\n\n"

    @app.get("/api/v1/events/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(said(), media_type="text/event-stream")

    server = ApiServer(app, "127.0.0.1", 0, certificate)
    server.start()
    try:
        events = Events(
            f"https://localhost:{server.port}", {}, Texts(), trust=trust(authority.file)
        )
        assert asyncio.run(one_event(events)) == b"data: somebody came\n\n"
    finally:
        server.stop()
