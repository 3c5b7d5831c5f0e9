"""What MQTT's topics are called, and what lies in the retained ones."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from identifier.deliveries.presence import Presence

ONLINE, OFFLINE, AWAY = "online", "offline", "away"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Topics:
    """The names below a prefix.

    Attributes:
        prefix: of everything; may have slashes in it.
        discovery: prefix of Home Assistant's discovery; empty for none.
    """

    prefix: str
    discovery: str

    @property
    def events(self) -> str:
        """Every event, not retained."""
        return f"{self.prefix}/events"

    @property
    def status(self) -> str:
        """`online` or `offline`."""
        return f"{self.prefix}/status"

    def person(self, slug: str) -> str:
        """The camera a person is before, or `away`."""
        return f"{self.prefix}/person/{slug}/camera"

    def camera(self, camera: str) -> str:
        """Who is before a camera, JSON."""
        return f"{self.prefix}/camera/{camera}/people"

    def device(self, kind: str, name: str) -> str:
        """Id of a device: what Home Assistant allows in one, and no other device's."""
        plain = f"{self.prefix}_{kind}_{name}"
        safe = _UNSAFE.sub("_", plain)
        if safe == plain:
            return safe
        return f"{safe}_{hashlib.sha256(plain.encode()).hexdigest()[:8]}"

    def config(self, device: str) -> str:
        """Where a device's discovery message lies."""
        return f"{self.discovery}/device/{device}/config"

    @property
    def retained(self) -> list[str]:
        """Filters of every retained topic that may be ours, the status apart."""
        return [self.person("+"), self.camera("+")] + ([self.config("+")] if self.discovery else [])

    def slugs(self, topics: Iterable[str]) -> set[str]:
        """Of the people that some of these topics are about."""
        start = f"{self.prefix}/person/"
        return {topic.split("/")[-2] for topic in topics if topic.startswith(start)}

    def ours(self, topic: str, payload: bytes) -> bool:
        """Whether a retained message is one of ours: others announce their devices there too."""
        if topic.startswith(f"{self.prefix}/"):
            return topic not in (self.events, self.status)
        try:
            found = json.loads(payload)
        except ValueError:
            return False
        return isinstance(found, dict) and found.get("availability_topic") == self.status


def people_payload(presence: Presence, camera: str) -> str:
    """Who is before a camera: `{"count", "people": [{"slug", "name"}], "unknowns": [7]}`."""
    people, unknowns = presence.people_at(camera), presence.unknowns_at(camera)
    return json.dumps(
        {
            "count": len(people) + len(unknowns),
            "people": [{"slug": slug, "name": name} for slug, name in people.items()],
            "unknowns": unknowns,
        },
        ensure_ascii=False,
    )


def states(
    topics: Topics, presence: Presence, people: Mapping[str, str], cameras: Collection[str]
) -> dict[str, str]:
    """Payload by topic of everything retained about who is where."""
    found = {topics.person(slug): presence.camera_of(slug) or AWAY for slug in people}
    return found | {topics.camera(name): people_payload(presence, name) for name in cameras}
