"""Who is before which camera, and what Home Assistant is told of it."""

from __future__ import annotations

import json

import pytest

from identifier.deliveries.home_assistant import discovery
from identifier.deliveries.mqtt_topics import Topics, people_payload, states
from identifier.deliveries.presence import OpenSighting, Presence
from identifier.deliveries.values import Event, Happening, Who
from services.errors import RecordError

ALICE = Who(slug="alice", name="Alice")
SEVEN = Who(unknown=7)


def came(sighting: str, camera: str, who: Who) -> Happening:
    return Happening(enter=True, camera=camera, sighting=sighting, who=who)


def went(sighting: str, camera: str, who: Who) -> Happening:
    return Happening(enter=False, camera=camera, sighting=sighting, who=who)


def test_a_person_is_where_they_came_last_and_away_when_nobody_sees_them() -> None:
    presence = Presence()
    assert presence.camera_of("alice") is None
    presence.apply(came("s1", "door", ALICE))
    presence.apply(came("s2", "hall", ALICE))
    assert presence.camera_of("alice") == "hall"
    presence.apply(went("s2", "hall", ALICE))
    assert presence.camera_of("alice") == "door"
    presence.apply(went("s1", "door", ALICE))
    assert presence.camera_of("alice") is None


def test_the_same_event_twice_and_an_exit_of_someone_unseen_change_nothing() -> None:
    presence = Presence([OpenSighting("s1", "door", SEVEN)])
    presence.apply(came("s1", "door", SEVEN))
    presence.apply(went("s9", "door", ALICE))
    assert presence.unknowns_at("door") == [7]
    presence.apply(went("s1", "door", SEVEN))
    presence.apply(went("s1", "door", SEVEN))
    assert presence.cameras == set()


def test_a_stranger_who_turns_out_to_be_alice_is_one_of_the_two_at_a_time() -> None:
    presence = Presence()
    presence.apply(came("s1", "door", SEVEN))
    presence.apply(went("s1", "door", SEVEN))
    presence.apply(came("s1", "door", ALICE))
    assert presence.people_at("door") == {"alice": "Alice"}
    assert presence.unknowns_at("door") == []


def test_someone_renamed_while_there_leaves_all_the_same() -> None:
    presence = Presence([OpenSighting("s1", "door", ALICE)])
    presence.apply(went("s1", "door", Who(slug="alice", name="Alice B.")))
    assert presence.people == {}


def test_the_retained_states_say_who_is_where() -> None:
    presence = Presence([OpenSighting("s1", "door", ALICE), OpenSighting("s2", "door", SEVEN)])
    topics = Topics("home/faces", "homeassistant")
    found = states(topics, presence, {"alice": "Alice", "bob": "Bob"}, {"door", "hall"})
    assert found["home/faces/person/alice/camera"] == "door"
    assert found["home/faces/person/bob/camera"] == "away"
    assert json.loads(found["home/faces/camera/door/people"]) == {
        "count": 2,
        "people": [{"slug": "alice", "name": "Alice"}],
        "unknowns": [7],
    }
    assert json.loads(people_payload(presence, "hall"))["count"] == 0


def test_an_event_says_who_came_or_went() -> None:
    payload = {
        "type": "unknown_exit",
        "camera": "door",
        "sighting": "s1",
        "person": None,
        "unknown": 7,
    }
    assert Event(3, json.dumps(payload)).happening == went("s1", "door", SEVEN)
    named = payload | {"person": {"slug": "alice", "name": "Alice"}, "type": "person_enter"}
    assert Event(4, json.dumps(named)).happening == came("s1", "door", ALICE)


@pytest.mark.parametrize("payload", ["", "[]", "{}", '{"person": 3, "unknown": null}'])
def test_an_event_that_says_nothing_is_a_bad_event(payload: str) -> None:
    with pytest.raises(RecordError) as caught:
        _ = Event(1, payload).happening
    assert caught.value.reason == "bad-event"


def test_events_of_a_database_begun_anew_have_other_keys() -> None:
    assert Event(1, "{}").key == Event(1, "{}").key
    assert len({Event(1, "{}").key, Event(2, "{}").key, Event(1, '{"a": 1}').key}) == 3
    assert "." not in Event(1, "{}").key


def test_home_assistant_is_told_of_a_device_per_person_and_per_camera() -> None:
    topics = Topics("facestream", "homeassistant")
    found = discovery(topics, {"alice": "Ålice"}, ["front.door"], "1.2")
    person = json.loads(found["homeassistant/device/facestream_person_alice/config"])
    assert person["device"]["name"] == "Ålice"
    assert person["device"]["identifiers"] == ["facestream_person_alice"]
    assert person["origin"]["name"] == "facestream"
    assert person["availability_topic"] == "facestream/status"
    assert {c["platform"] for c in person["components"].values()} == {"sensor", "binary_sensor"}
    assert {c["state_topic"] for c in person["components"].values()} == {
        "facestream/person/alice/camera"
    }
    (camera_topic,) = set(found) - {"homeassistant/device/facestream_person_alice/config"}
    camera = json.loads(found[camera_topic])
    assert camera["device"]["name"] == "front.door"
    ids = [c["unique_id"] for m in (person, camera) for c in m["components"].values()]
    assert len(set(ids)) == len(ids)


def test_device_ids_have_only_what_home_assistant_allows_and_stay_apart() -> None:
    topics = Topics("home/faces", "homeassistant")
    ids = {topics.device("camera", name) for name in ("a.b", "a_b", "a-b", "a..b")}
    assert len(ids) == 4
    assert all(set(each) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-") for each in ids)


def test_without_a_discovery_prefix_nothing_is_announced() -> None:
    topics = Topics("facestream", "")
    assert discovery(topics, {"alice": "Alice"}, ["door"], "") == {}
    assert len(topics.retained) == 2


def test_devices_of_others_are_not_ours() -> None:
    topics = Topics("facestream", "homeassistant")
    mine = discovery(topics, {"alice": "Alice"}, [], "")
    assert all(topics.ours(topic, payload.encode()) for topic, payload in mine.items())
    for payload in (b"", b"[]", b"\xff", b'{"availability_topic": "zigbee2mqtt/bridge/state"}'):
        assert not topics.ours("homeassistant/device/facestream_person_alice/config", payload)
    assert topics.ours("facestream/person/alice/camera", b"away")
    assert not topics.ours("facestream/status", b"online")
