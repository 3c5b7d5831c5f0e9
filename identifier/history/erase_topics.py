"""Topics when a person is erased: theirs is deleted, of the others it is said when they forget."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource

from services.errors import BrokerUnavailable
from services.kafka.clients import make_admin
from services.kafka.settings import KafkaSettings

_ASK_S = 5.0
_GONE_WITHIN_S = 10.0
_CHECK_EVERY_MS = 300_000  # log.retention.check.interval.ms
_REFUSED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "this user may not delete topics",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "this user may not delete topics",
    KafkaError.POLICY_VIOLATION: "the cluster's policy keeps it",
    73: "the cluster has delete.topic.enable=false",
}
_UNDELETABLE = (
    "frames that show the person: the in-memory broker cannot delete topics, "
    "and forgets everything when it ends"
)


@dataclass(frozen=True, slots=True)
class KeptIn:
    """A topic that holds what was seen until its retention ends.

    Attributes:
        topic: its name.
        holds: what of the person may be in it.
        retention_ms: how long it keeps records; None where it cannot be read, -1 for ever.
        expires_at: when the last record there is now will be gone at the latest, UTC; None where
            that cannot be said, or never.
    """

    topic: str
    holds: str
    retention_ms: int | None
    expires_at: datetime | None


class Topics:
    """What an erasure asks of Kafka.

    Args:
        settings: how Kafka is reached.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings

    def delete(self, names: Sequence[str]) -> dict[str, str]:
        """Delete topics, where the broker can; why it would not delete one, by name.

        Raises:
            BrokerUnavailable: Kafka does not answer.
        """
        admin = make_admin(self._settings)
        there = self._there(admin, names)
        if not there or not self._has_controller(admin):
            return {}
        refused: dict[str, str] = {}
        for name, future in admin.delete_topics(list(there), request_timeout=_ASK_S).items():
            try:
                future.result()
            except KafkaException as failure:
                error: KafkaError = failure.args[0]
                if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue
                if error.code() not in _REFUSED:
                    raise BrokerUnavailable(f"a topic is not deleted: {error.str()}") from None
                refused[name] = _REFUSED[error.code()]
        self._wait_until_gone(admin, [name for name in there if name not in refused])
        return refused

    def left(self, names: Sequence[str]) -> list[str]:
        """Which of these topics there are.

        Raises:
            BrokerUnavailable: Kafka does not answer.
        """
        return self._there(make_admin(self._settings), names)

    def undeletable(self, names: Sequence[str]) -> list[KeptIn]:
        """Those of these topics that no one can delete: the in-memory broker knows no way.

        Raises:
            BrokerUnavailable: Kafka does not answer.
        """
        admin = make_admin(self._settings)
        there = self._there(admin, names)
        if self._has_controller(admin):
            return []
        return [KeptIn(name, _UNDELETABLE, None, None) for name in there]

    def kept(self, holds: dict[str, str]) -> list[KeptIn]:
        """How long topics keep what they have, of those that there are.

        Raises:
            BrokerUnavailable: Kafka does not answer.
        """
        admin = make_admin(self._settings)
        there = self._there(admin, list(holds))
        configs = self._configs(admin, there) if self._has_controller(admin) else {}
        now = datetime.now(UTC)
        return [_kept(name, holds[name], configs.get(name, {}), now) for name in there]

    def _there(self, admin: AdminClient, names: Sequence[str]) -> list[str]:
        try:
            known = admin.list_topics(timeout=_ASK_S).topics
        except KafkaException as failure:
            raise BrokerUnavailable(f"no Kafka: {failure.args[0].str()}") from None
        return [name for name in names if name in known]

    @staticmethod
    def _has_controller(admin: AdminClient) -> bool:
        """The in-memory broker has none, and so no answer to anything but reading and writing."""
        cluster = admin.list_topics(timeout=_ASK_S)
        return cluster.controller_id in cluster.brokers

    @staticmethod
    def _configs(admin: AdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
        asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        found: dict[str, dict[str, str]] = {}
        if not asked:
            return found
        for resource, future in admin.describe_configs(asked, request_timeout=_ASK_S).items():
            try:
                entries = future.result()
            except KafkaException:
                continue  # said as "unknown"
            found[resource.name] = {
                name: entry.value for name, entry in entries.items() if entry.value is not None
            }
        return found

    def _wait_until_gone(self, admin: AdminClient, names: Sequence[str]) -> None:
        deadline_s = time.monotonic() + _GONE_WITHIN_S
        while time.monotonic() < deadline_s and self._there(admin, names):
            time.sleep(0.05)


def _kept(topic: str, holds: str, config: dict[str, str], now: datetime) -> KeptIn:
    retention_ms = _number(config, "retention.ms")
    segment_ms = _number(config, "segment.ms")
    if (
        retention_ms is None
        or segment_ms is None
        or "delete" not in config.get("cleanup.policy", "delete")
    ):
        return KeptIn(topic, holds, retention_ms, None)
    if retention_ms < 0:
        return KeptIn(topic, holds, -1, None)
    # Kafka forgets whole segments: a record goes when the newest beside it is old enough.
    longest = timedelta(milliseconds=retention_ms + min(segment_ms, 10**12) + _CHECK_EVERY_MS)
    return KeptIn(topic, holds, retention_ms, now + longest)


def _number(config: dict[str, str], name: str) -> int | None:
    value = config.get(name, "")
    return int(value) if value.lstrip("-").isdigit() else None
