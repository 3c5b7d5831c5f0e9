"""Addresses of webhooks and of the MQTT broker: what is taken, and what is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from identifier.deliveries.mqtt_client import parse_address
from identifier.deliveries.webhook import Webhook, parse_endpoints
from services.errors import SettingsError


def test_several_addresses_are_several_sinks_and_the_same_one_is_one() -> None:
    text = "http://a/hook, https://b:8443/x?key=1 http://a/hook\nhttp://a/other"
    endpoints = parse_endpoints(text)
    assert [each.host for each in endpoints] == ["a", "b:8443", "a"]
    assert [each.url for each in endpoints] == [
        "http://a/hook",
        "https://b:8443/x?key=1",
        "http://a/other",
    ]
    names = {Webhook(each, [], timeout_s=1, retry_s=1).name for each in endpoints}
    assert len(names) == 3


def test_credentials_become_a_header_and_are_shown_nowhere() -> None:
    (endpoint,) = parse_endpoints("https://me:p%40ss@[::1]:8443/secret-path")
    assert endpoint.url == "https://[::1]:8443/secret-path"
    assert endpoint.authorization == "Basic bWU6cEBzcw=="
    webhook = Webhook(endpoint, [b"key" * 8], timeout_s=1, retry_s=1)
    for text in (repr(endpoint), webhook.name, webhook.shown):
        assert "p@ss" not in text
        assert "secret-path" not in text
        assert "bWU6" not in text


@pytest.mark.parametrize(
    "text", ["ftp://secret/x", "secret", "http://", "file:///secret", "http://secret:port/"]
)
def test_what_is_no_http_address_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_URLS: number 2") as caught:
        parse_endpoints(f"http://fine/ {text}")
    assert "secret" not in str(caught.value)


def test_an_mqtt_address_says_host_port_and_who() -> None:
    plain = parse_address("mqtt://broker")
    assert (plain.host, plain.port, plain.tls, plain.username) == ("broker", 1883, False, None)
    secure = parse_address("mqtts://me:p%40ss@broker/", Path("ca.pem"))
    assert (secure.port, secure.tls, secure.username) == (8883, True, "me")
    assert secure.password == "p@ss"
    assert "p@ss" not in repr(secure) + secure.shown


@pytest.mark.parametrize(
    "text",
    ["broker:1883", "http://secret@broker", "mqtt://", "mqtt://secret@broker/topic", "mqtt://b:x"],
)
def test_what_is_no_mqtt_address_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsError, match="MQTT_URL") as caught:
        parse_address(text)
    assert "secret" not in str(caught.value)
