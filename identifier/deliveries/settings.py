"""Where events are delivered, if anywhere."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from pydantic import Field, SecretStr

from identifier.deliveries.assembly import DeliveryOptions
from services.settings import ServiceSettings


class DeliverySettings(ServiceSettings):
    """Webhooks and MQTT; each is off unless it has an address."""

    webhook_urls: SecretStr | None = Field(
        None,
        description="Addresses that events are POSTed to, separated by commas; "
        "needs WEBHOOK_SECRET.",
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="`whsec_` and the base64 of 24 to 64 random bytes; several, newest first, "
        "while it is changed.",
    )
    webhook_timeout_s: float = Field(15, ge=1, le=60, description="Longest wait (s) for an answer.")
    webhook_retry_s: float = Field(
        3_600,
        ge=0,
        le=604_800,
        description="How long (s) one event is tried before it is dead-lettered.",
    )
    mqtt_url: SecretStr | None = Field(
        None, description="MQTT broker: `mqtt://user:password@host:1883` or `mqtts://`."
    )
    mqtt_ca_file: Path | None = Field(
        None, description="PEM certificates to trust instead of the system's."
    )
    mqtt_prefix: str = Field(
        "facestream", min_length=1, max_length=100, description="Start of every MQTT topic."
    )
    mqtt_discovery_prefix: str = Field(
        "homeassistant",
        max_length=100,
        description="Where Home Assistant looks for devices; empty is off.",
    )

    def delivery_options(self, dead_letter_topic: str) -> DeliveryOptions:
        """The same, as the deliveries take them."""
        return DeliveryOptions(
            webhook_urls=_open(self.webhook_urls),
            webhook_secret=_open(self.webhook_secret),
            webhook_timeout_s=self.webhook_timeout_s,
            webhook_retry_s=self.webhook_retry_s,
            mqtt_url=_open(self.mqtt_url),
            mqtt_ca_file=self.mqtt_ca_file,
            mqtt_prefix=self.mqtt_prefix,
            mqtt_discovery_prefix=self.mqtt_discovery_prefix,
            dead_letter_topic=dead_letter_topic,
            version=version("facestream"),
        )


def _open(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
