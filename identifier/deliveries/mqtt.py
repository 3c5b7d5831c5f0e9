"""MQTT: every event, and in retained topics who is where, for Home Assistant too."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import structlog

from identifier.deliveries.home_assistant import discovery
from identifier.deliveries.mqtt_client import (
    Address,
    MqttConnection,
    MqttUnreachableError,
    Publication,
)
from identifier.deliveries.mqtt_topics import OFFLINE, ONLINE, Topics, states
from identifier.deliveries.presence import Directory, Presence
from identifier.deliveries.values import (
    Delivered,
    Event,
    EventLog,
    Happening,
    Outcome,
    TryAgain,
)

log = structlog.get_logger()

_TIMEOUT_S = 5.0
_SYNC_S = 5.0


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """What is set.

    Attributes:
        address: of the broker.
        topics: the names below the prefixes.
        version: of facestream, for Home Assistant.
        timeout_s: to connect, and for acknowledgements.
        sync_s: between two looks at the memory, for people who were enrolled, renamed or removed.
    """

    address: Address
    topics: Topics
    version: str = ""
    timeout_s: float = _TIMEOUT_S
    sync_s: float = _SYNC_S


class Mqtt:
    """A sink that publishes to a broker.

    What is retained is made of the memory's open sightings when a connection begins and every few
    seconds while there is nothing to deliver, and changed by the events in between. Events older
    than that look at the memory are delivered as events and change no state: a broker that comes
    back after an hour hears what happened, but nobody is said to be where they were an hour ago.

    Retained topics of people and cameras that are no more are cleared, those of earlier runs too.

    Args:
        options: see there.
        events: for the newest id.
        directory: who is there, who is enrolled, which cameras there are.
    """

    kind: Literal["mqtt"] = "mqtt"
    retry_s: float | None = None

    def __init__(self, options: MqttOptions, events: EventLog, directory: Directory) -> None:
        self._options = options
        self._topics = options.topics
        self._events = events
        self._directory = directory
        self._connection: MqttConnection | None = None
        self._published: dict[str, str] = {}
        self._found: set[str] = set()  # retained at the broker; touched by paho's thread too
        self._found_lock = threading.Lock()
        self._presence = Presence()
        self._people: dict[str, str] = {}
        self._cameras: set[str] = set()
        self._seen: set[str] = set()
        self._known_to = 0
        self._synced_s = 0.0

    @property
    def name(self) -> str:
        """Of the row: another broker or prefix is another sink."""
        where = f"{self._options.address.shown}/{self._topics.prefix}"
        return f"mqtt:{where[:200]}:{_digest(where)}"

    @property
    def shown(self) -> str:
        """The broker's host and port."""
        return self._options.address.shown

    def deliver(self, event: Event) -> Outcome:
        """Publish it and what it changes; done when the broker has acknowledged everything."""
        happening = event.happening
        try:
            connection = self._connected()
            changed = self._changed_by(happening) if event.id > self._known_to else {}
            # The state first: who hears of the event may look at it.
            self._publish(connection, changed, Publication(self._topics.events, event.payload))
        except MqttUnreachableError as error:
            self._drop()
            return TryAgain(str(error))
        return Delivered()

    def tend(self) -> Outcome:
        """Connect again if need be, and look at the memory now and then."""
        try:
            connection = self._connected()
            if time.monotonic() - self._synced_s >= self._options.sync_s:
                self._sync(connection)
        except MqttUnreachableError as error:
            self._drop()
            return TryAgain(str(error))
        return Delivered()

    def close(self) -> None:
        """Say `offline` and leave."""
        if self._connection is None:
            return
        try:
            self._connection.publish([Publication(self._topics.status, OFFLINE, retain=True)])
        except MqttUnreachableError:
            log.info("mqtt broker gone before goodbye", broker=self.shown)
        self._drop()

    def forget(self, slug: str) -> None:
        """Clear what is retained about a person who was removed from the memory just now.

        From any thread, and on any identifier: it has a connection of its own. Where the broker is
        away, the identifier that serves MQTT clears it when the broker is back.

        Raises:
            MqttUnreachableError: the broker did not take it.
            DBAPIError: the database is away.
        """
        topics = self._topics
        gone = [topics.person(slug)]
        if topics.discovery:
            gone.append(topics.config(topics.device("person", slug)))
        presence = Presence(self._directory.open_now())
        once = uuid.uuid4().hex[:12]
        connection = MqttConnection(
            self._options.address, f"facestream-{once}", timeout_s=self._options.timeout_s
        )
        try:
            found = connection.retained(topics.camera("+"), f"{topics.prefix}/marker/{once}")
            cameras = {topic.split("/")[-2] for topic in found}
            still = states(topics, presence, {}, cameras)
            connection.publish(
                Publication(topic, payload, retain=True)
                for topic, payload in (dict.fromkeys(gone, "") | still).items()
            )
        finally:
            connection.close()

    def _connected(self) -> MqttConnection:
        if self._connection is not None and self._connection.alive:
            return self._connection
        self._drop()
        # One id for all identifiers: the broker ends the last owner's connection, and says its
        # last will, before it greets the next one.
        client_id = f"facestream-{_digest(self._topics.prefix)}"
        self._connection = MqttConnection(
            self._options.address,
            client_id,
            timeout_s=self._options.timeout_s,
            will=Publication(self._topics.status, OFFLINE, retain=True),
        )
        self._published = {}
        with self._found_lock:
            self._found = set()
        self._connection.subscribe(self._topics.retained, self._retained)
        self._cameras = set(self._directory.cameras())
        self._sync(self._connection)
        self._connection.publish([Publication(self._topics.status, ONLINE, retain=True)])
        log.info("mqtt broker connected", broker=self.shown)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _sync(self, connection: MqttConnection) -> None:
        # In this order: what happens between the two looks is in both, and counts once.
        self._known_to = self._events.newest_id()
        self._presence = Presence(self._directory.open_now())
        self._seen |= self._presence.people.keys()
        with self._found_lock:
            found = self._found | self._published.keys()
        self._people = dict(self._directory.people(self._seen | self._topics.slugs(found)))
        self._seen &= self._people.keys()
        self._cameras |= self._presence.cameras
        wanted = self._wanted(self._people, self._cameras)
        gone = found - wanted.keys()
        self._publish(connection, dict.fromkeys(gone, "") | self._changes(wanted))
        self._synced_s = time.monotonic()

    def _changed_by(self, happening: Happening) -> dict[str, str]:
        self._presence.apply(happening)
        self._cameras.add(happening.camera)
        people: dict[str, str] = {}
        if happening.who is not None and (slug := happening.who.slug):
            self._seen.add(slug)
            people[slug] = self._people.setdefault(slug, happening.who.name)
        return self._changes(self._wanted(people, {happening.camera}))

    def _wanted(self, people: Mapping[str, str], cameras: Collection[str]) -> dict[str, str]:
        """Payload by topic of what should be retained about them."""
        announced = discovery(self._topics, people, sorted(cameras), self._options.version)
        return announced | states(self._topics, self._presence, people, cameras)

    def _changes(self, wanted: dict[str, str]) -> dict[str, str]:
        return {
            topic: payload
            for topic, payload in wanted.items()
            if self._published.get(topic) != payload
        }

    def _publish(
        self, connection: MqttConnection, retained: dict[str, str], *then: Publication
    ) -> None:
        states_first = [Publication(topic, text, retain=True) for topic, text in retained.items()]
        connection.publish([*states_first, *then])
        for topic, payload in retained.items():
            if payload:
                self._published[topic] = payload
            else:
                self._published.pop(topic, None)

    def _retained(self, topic: str, payload: bytes) -> None:
        with self._found_lock:
            if payload and self._topics.ours(topic, payload):
                self._found.add(topic)
            elif not payload:
                self._found.discard(topic)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
