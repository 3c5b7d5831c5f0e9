"""One connection to an MQTT broker: it publishes and waits, and once lost it is thrown away.

A new one is made then. Left to reconnect by itself, the client would send again what it had not got
through, retained states that are no longer so among it.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from services.errors import RetriableError, SettingsError

_KEEPALIVE_S = 30
_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker is.

    Attributes:
        host: its name.
        port: its port.
        tls: whether the connection is encrypted; the certificate is verified then.
        username: None for an anonymous client.
        password: None for none.
        ca_file: PEM certificates to trust; the system's when None.
    """

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    @property
    def shown(self) -> str:
        """Without the password."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Publication:
    """A message; its payload may name people, so it stays out of `repr`."""

    topic: str
    payload: str = field(repr=False)
    retain: bool = False


class MqttUnreachableError(RetriableError):
    """No connection, or none any more; its text is a short kebab-case word."""


def parse_address(url: str, ca_file: Path | None = None) -> Address:
    """MQTT_URL: `mqtt://user:password@host:port`, or `mqtts://`.

    Raises:
        SettingsError: it is nothing of that form; it is not shown, for it may hold a password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in _PORTS or parts.path.strip("/") or parts.query:
        raise SettingsError("MQTT_URL: expected mqtt://user:password@host:1883, or mqtts://")
    return Address(
        host=host,
        port=port or _PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        ca_file=ca_file,
    )


class MqttConnection:
    """A connection, made at once.

    Args:
        address: of the broker.
        client_id: the broker ends an older connection of the same id.
        timeout_s: to connect, and for acknowledgements.
        will: published by the broker when the connection breaks.

    Raises:
        MqttUnreachableError: there is no broker, or it will not have us.
    """

    def __init__(
        self,
        address: Address,
        client_id: str,
        *,
        timeout_s: float,
        will: Publication | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._up, self._lost = threading.Event(), threading.Event()
        self._answer = ""
        self._on_message: Callable[[str, bytes], None] | None = None
        client = Client(CallbackAPIVersion.VERSION2, client_id, reconnect_on_failure=False)
        client.connect_timeout = timeout_s
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_message = self._received
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        self._client = client
        self._connect(address)

    @property
    def alive(self) -> bool:
        """Whether nobody has said that it is lost."""
        return not self._lost.is_set()

    def publish(self, publications: Iterable[Publication]) -> None:
        """Publish with QoS 1, in order, and wait until the broker has acknowledged every one.

        Raises:
            MqttUnreachableError: it did not; throw the connection away.
        """
        sent = [
            self._client.publish(each.topic, each.payload.encode(), qos=1, retain=each.retain)
            for each in publications
        ]
        deadline_s = time.monotonic() + self._timeout_s
        for info in sent:
            self._acknowledged(info, deadline_s)

    def subscribe(self, filters: Iterable[str], on_message: Callable[[str, bytes], None]) -> None:
        """Ask for messages; what the broker does not allow stays away.

        Args:
            filters: of topics.
            on_message: told topic and payload, on another thread.
        """
        self._on_message = on_message
        for each in filters:
            self._client.subscribe(each, qos=1)

    def retained(self, pattern: str, marker: str) -> set[str]:
        """Topics that something is retained at; the connection is subscribed to nothing else.

        Args:
            pattern: filter of the topics.
            marker: a topic of this call alone. What is retained comes with no end to it, but
                before what is published afterwards.

        Raises:
            MqttUnreachableError: the connection is lost.
        """
        found: set[str] = set()
        complete = threading.Event()

        def told(topic: str, payload: bytes) -> None:
            if topic == marker:
                complete.set()
            elif payload:
                found.add(topic)

        self.subscribe([marker, pattern], told)
        self.publish([Publication(marker, "")])
        complete.wait(self._timeout_s)
        return found

    def close(self) -> None:
        """Say goodbye, so that there is no last will, and end."""
        self._client.disconnect()
        if not self._lost.wait(1.0) and isinstance(end := self._client.socket(), socket.socket):
            with suppress(OSError):  # it went at this moment
                end.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def _connect(self, address: Address) -> None:
        try:
            if address.tls:
                ca_file = None if address.ca_file is None else str(address.ca_file)
                self._client.tls_set(ca_certs=ca_file)
            self._client.connect(address.host, address.port, keepalive=_KEEPALIVE_S)
        except ssl.SSLError:
            raise MqttUnreachableError("tls") from None
        except (OSError, ValueError):
            raise MqttUnreachableError("unreachable") from None
        self._client.loop_start()
        self._up.wait(self._timeout_s)
        if self._answer != "ok":
            self.close()
            raise MqttUnreachableError(self._answer or "timeout")

    def _acknowledged(self, info: MQTTMessageInfo, deadline_s: float) -> None:
        while not self._lost.is_set() and time.monotonic() < deadline_s:
            if info.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN):
                raise MqttUnreachableError("unreachable")
            info.wait_for_publish(0.1)
            if info.is_published():
                return
        raise MqttUnreachableError("unreachable" if self._lost.is_set() else "timeout")

    def _connected(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        del client, userdata, flags, properties
        self._answer = "refused" if reason.is_failure else "ok"
        self._up.set()

    def _disconnected(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        del client, userdata, flags, reason, properties
        self._lost.set()
        self._up.set()

    def _received(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        del client, userdata
        if self._on_message is not None:
            self._on_message(message.topic, bytes(message.payload))
