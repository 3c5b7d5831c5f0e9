"""TLS and passwords, on a real Apache Kafka that wants both."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import ClassVar

import pytest
from confluent_kafka import Consumer

from services.broker.process import free_ports
from services.errors import BrokerError, BrokerUnavailable
from services.kafka.clients import make_consumer, make_producer, wait_for_broker
from services.kafka.settings import KafkaSettings
from services.kafka.topics import ensure_topics_when_up
from services.lifecycle.stopping import StopSignal
from tests.brokers import KafkaFactory

_LOGIN = (
    'org.apache.kafka.common.security.plain.PlainLoginModule required user_camera="open sesame";'
)


class Settings(KafkaSettings):
    service_name: ClassVar[str] = "secured"
    summary: ClassVar[str] = "a test"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`key.pem`, `certificate.pem` and both in `store.pem`, for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", "key.pem", "-out", "certificate.pem"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    parts = [(folder / name).read_text() for name in ("key.pem", "certificate.pem")]
    (folder / "store.pem").write_text("".join(parts))
    return folder


@pytest.fixture(scope="module")
def secured(start_kafka: KafkaFactory, certificate: Path) -> str:
    """`bootstrap.servers` of a listener with TLS and SASL."""
    (port,) = free_ports(1)
    start_kafka(
        properties={
            "listeners": f"SECURED://127.0.0.1:{port}",
            "advertised.listeners": f"SECURED://127.0.0.1:{port}",
            "listener.security.protocol.map": "SECURED:SASL_SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(certificate / "store.pem"),
            "listener.name.secured.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.secured.plain.sasl.jaas.config": _LOGIN,
        }
    )
    return f"127.0.0.1:{port}"


def settings(servers: str, certificate: Path, **env: str) -> Settings:
    """Those of a client that is let in."""
    return Settings.load(
        env={
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SSL_CA_LOCATION": str(certificate / "certificate.pem"),
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_SASL_USERNAME": "camera",
            "KAFKA_SASL_PASSWORD": "open sesame",
        }
        | env
    )


@pytest.mark.kafka
def test_frames_travel_through_tls_with_a_password(
    secured: str, certificate: Path, tmp_path: Path, topic_prefix: str
) -> None:
    secret = tmp_path / "password"
    secret.write_text("open sesame\n")
    s = settings(secured, certificate, KAFKA_SASL_PASSWORD="", KAFKA_SASL_PASSWORD_FILE=str(secret))
    topic = f"{topic_prefix}frames.raw"
    ensure_topics_when_up(s, [topic], StopSignal())
    producer = make_producer(s)
    producer.produce(topic, b"a frame", b"door/1/0")
    assert producer.flush(20) == 0
    consumer: Consumer = make_consumer(s, f"{topic_prefix}group")
    consumer.subscribe([topic])
    try:
        message = consumer.poll(20)
        assert message is not None
        assert message.value() == b"a frame"
    finally:
        consumer.close()


@pytest.mark.kafka
def test_a_wrong_password_ends_the_process_and_says_which_setting(
    secured: str, certificate: Path
) -> None:
    s = settings(secured, certificate, KAFKA_SASL_PASSWORD="open barley")
    with pytest.raises(BrokerError, match="KAFKA_SASL_PASSWORD") as refused:
        ensure_topics_when_up(s, ["frames.raw"], StopSignal())
    assert "barley" not in str(refused.value)


@pytest.mark.kafka
def test_a_certificate_nobody_vouches_for_is_told(secured: str, certificate: Path) -> None:
    s = settings(secured, certificate, KAFKA_SSL_CA_LOCATION="/etc/ssl/certs/ca-certificates.crt")
    with pytest.raises(BrokerUnavailable, match="certificate"):
        wait_for_broker(s, 5)
