"""Discovery messages for Home Assistant: a device for each person and each camera.

Device-based discovery (Home Assistant 2024.11 and later), after
https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from identifier.deliveries.mqtt_topics import AWAY, OFFLINE, ONLINE, Topics

_URL = "https://github.com/facestream/facestream"
_Component = dict[str, str]


def discovery(
    topics: Topics, people: Mapping[str, str], cameras: Iterable[str], version: str
) -> dict[str, str]:
    """Payload by topic of the discovery messages; none without a discovery prefix.

    Args:
        topics: the names.
        people: names by slug.
        cameras: names.
        version: of facestream.
    """
    if not topics.discovery:
        return {}
    found: dict[str, str] = {}
    for slug, name in people.items():
        device = topics.device("person", slug)
        components = _person(topics.person(slug), device)
        found[topics.config(device)] = _message(topics, device, name, "Person", components, version)
    for camera in cameras:
        device = topics.device("camera", camera)
        components = _camera(topics.camera(camera), device)
        found[topics.config(device)] = _message(
            topics, device, camera, "Camera", components, version
        )
    return found


def _person(state_topic: str, device: str) -> dict[str, _Component]:
    return {
        "camera": {
            "platform": "sensor",
            "unique_id": f"{device}_camera",
            "name": "Camera",
            "icon": "mdi:cctv",
            "state_topic": state_topic,
        },
        "in_view": {
            "platform": "binary_sensor",
            "unique_id": f"{device}_in_view",
            "name": "In view",
            "device_class": "occupancy",
            "state_topic": state_topic,
            "value_template": f"{{{{ 'OFF' if value == '{AWAY}' else 'ON' }}}}",
        },
    }


def _camera(state_topic: str, device: str) -> dict[str, _Component]:
    return {
        "people": {
            "platform": "sensor",
            "unique_id": f"{device}_people",
            "name": "People",
            "icon": "mdi:account-group",
            "state_class": "measurement",
            "state_topic": state_topic,
            "value_template": "{{ value_json.count }}",
            "json_attributes_topic": state_topic,
        },
        "occupied": {
            "platform": "binary_sensor",
            "unique_id": f"{device}_occupied",
            "name": "Occupied",
            "device_class": "occupancy",
            "state_topic": state_topic,
            "value_template": "{{ 'ON' if value_json.count > 0 else 'OFF' }}",
        },
    }


def _message(
    topics: Topics,
    device: str,
    name: str,
    model: str,
    components: Mapping[str, _Component],
    version: str,
) -> str:
    return json.dumps(
        {
            "device": {
                "identifiers": [device],
                "name": name,
                "manufacturer": "facestream",
                "model": model,
            },
            "origin": {"name": "facestream", "sw_version": version, "support_url": _URL},
            "availability_topic": topics.status,
            "payload_available": ONLINE,
            "payload_not_available": OFFLINE,
            "qos": 1,
            "components": components,
        },
        ensure_ascii=False,
    )
