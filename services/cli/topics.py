"""`facestream topics create | describe`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import ClassVar

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from rich.console import Console
from rich.table import Table

from services.kafka.clients import make_admin, wait_for_broker
from services.kafka.settings import KafkaSettings
from services.kafka.topics import ensure_topics, standing_topics

_TIMEOUT_S = 15.0
_SHOWN = ("retention.ms", "max.message.bytes", "min.insync.replicas")


class TopicsSettings(KafkaSettings):
    """Settings of `facestream topics`."""

    service_name: ClassVar[str] = "topics"
    summary: ClassVar[str] = "Create or describe the topics."


def main(argv: Sequence[str] = ()) -> int:
    """Create what is missing, or show what is there."""
    parser = argparse.ArgumentParser(
        prog="facestream topics",
        description="Create every topic that is missing, or show how each is set up.",
        epilog="Connection and sizes come from the variables in docs/settings.md or from their "
        "flags (`facestream topics create --help-flags`).",
    )
    parser.add_argument("action", choices=["create", "describe"])
    parser.add_argument("--help-flags", action="store_true", help="list connection and size flags")
    options, rest = parser.parse_known_args(list(argv))
    flags = ["--help"] if options.help_flags else rest
    settings = TopicsSettings.load(flags, prog=f"facestream topics {options.action}")
    wait_for_broker(settings, timeout_s=_TIMEOUT_S)
    names = standing_topics(settings)
    if options.action == "create":
        created = ensure_topics(settings, names)
        print("\n".join(f"created {name}" for name in created) or "every topic is there")
        return 0
    return _describe(settings, names)


def _describe(settings: KafkaSettings, names: Sequence[str]) -> int:
    admin = make_admin(settings)
    present = admin.list_topics(timeout=_TIMEOUT_S).topics
    people = sorted(name for name in present if name.startswith(settings.topic_person_prefix))
    table = Table()
    for column in ("topic", "partitions", "replicas", *_SHOWN):
        table.add_column(column, justify="left" if column == "topic" else "right")
    missing = 0
    for name in (*names, *people):
        topic = present.get(name)
        if topic is None:
            missing += 1
            table.add_row(name, "missing")
            continue
        replicas = {len(partition.replicas) for partition in topic.partitions.values()}
        values = _config(admin, name)
        table.add_row(
            name,
            str(len(topic.partitions)),
            "/".join(map(str, sorted(replicas))),
            *(values.get(key, "") for key in _SHOWN),
        )
    Console().print(table)
    return 1 if missing else 0


def _config(admin: AdminClient, topic: str) -> dict[str, str]:
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    future = admin.describe_configs([resource], request_timeout=_TIMEOUT_S)[resource]
    return {name: str(entry.value) for name, entry in future.result().items()}
