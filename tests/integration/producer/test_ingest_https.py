"""Pictures that are pushed over https, by programs and through the page."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from producer.ingest.pushes import Pushes
from producer.ingest.server import IngestServer
from producer.names import Names
from producer.publisher import LivePublisher
from producer.settings import ProducerSettings
from services.certificate import Trust, trust
from services.cli.children import free_port
from tests.certificates import Authority
from tests.unit.producer.mjpeg import picture
from tests.unit.viewer.test_push import served
from viewer.push import Push
from viewer.texts import Texts

JPEG = {"Content-Type": "image/jpeg"}
TOKEN = "correct horse battery staple"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def ingest(authority: Authority, memory_broker: str, topic_prefix: str) -> Iterator[int]:
    """The port of an ingest with a certificate for localhost."""
    certificate = authority.make("localhost")
    settings = ProducerSettings.load(
        env={
            "KAFKA_BOOTSTRAP_SERVERS": memory_broker,
            "TOPIC_RAW": f"{topic_prefix}frames.raw",
            "INGEST_PORT": str(free_port()),
            "INGEST_TOKEN": TOKEN,
            "INGEST_TLS_CERT": str(certificate.chain),
            "INGEST_TLS_KEY": str(certificate.key),
        }
    )
    publisher = LivePublisher(settings)
    server = IngestServer(settings, Pushes(publisher, Names(()), settings.ingest_max_cameras))
    server.start()
    yield server.port
    server.close()
    publisher.close(1)


def push(url: str, trusted: Trust) -> httpx.Response:
    """As a program does."""
    return httpx.post(
        f"{url}/push/door",
        content=picture(),
        headers=JPEG | {"Authorization": f"Bearer {TOKEN}"},
        verify=trusted,
        trust_env=False,
    )


def through_the_page(url: str, ca: Path | None) -> httpx.Response:
    """As a browser does, whose frames the viewer hands on."""

    async def run() -> httpx.Response:
        handing_on = Push(url, Texts(), TOKEN, trust(ca))
        async with served(handing_on) as page, httpx.AsyncClient(base_url=page) as browser:
            answer = await browser.post("/push/phone", content=picture(), headers=JPEG)
        await handing_on.close()
        return answer

    return asyncio.run(run())


def test_with_its_authority_pictures_are_taken(ingest: int, authority: Authority) -> None:
    url = f"https://localhost:{ingest}"
    for number in range(2):
        answer = push(url, trust(authority.file))
        assert (answer.status_code, answer.json()) == (202, {"seq": number})
    answer = through_the_page(url, authority.file)
    assert (answer.status_code, answer.json()) == (202, {"seq": 0})


def test_without_its_authority_nothing_is_sent(
    ingest: int, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"https://localhost:{ingest}"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        push(url, ssl.create_default_context())
    answer = through_the_page(url, None)
    assert (answer.status_code, answer.json()["reason"]) == (503, "ingest-away")
    assert "set INGEST_CA" in capsys.readouterr().out


def test_under_another_name_nothing_is_sent(ingest: int, authority: Authority) -> None:
    url = f"https://127.0.0.1:{ingest}"
    with pytest.raises(httpx.ConnectError, match=r"127\.0\.0\.1"):
        push(url, trust(authority.file))
    answer = through_the_page(url, authority.file)
    assert (answer.status_code, answer.json()["reason"]) == (503, "ingest-away")


def test_plain_http_is_not_answered(ingest: int) -> None:
    with pytest.raises(httpx.HTTPError):
        push(f"http://localhost:{ingest}", True)
