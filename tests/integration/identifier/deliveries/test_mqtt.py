"""MQTT, on a real mosquitto."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from identifier.deliveries.directory import DatabaseDirectory
from identifier.deliveries.mqtt import Mqtt, MqttOptions
from identifier.deliveries.mqtt_client import (
    MqttConnection,
    MqttUnreachableError,
    Publication,
    parse_address,
)
from identifier.deliveries.mqtt_topics import Topics
from identifier.deliveries.values import TryAgain
from tests.conftest import require_or_skip
from tests.integration.identifier.deliveries.conftest import Kept, Memory, Mosquitto, Start
from tests.waiting import eventually

STATUS = "facestream/status"
ALICE = "facestream/person/alice/camera"
ALICE_DEVICE = "homeassistant/device/facestream_person_alice/config"
DOOR = "facestream/camera/door/people"
DOOR_DEVICE = "homeassistant/device/facestream_camera_door/config"


class Watcher:
    """Subscribes to everything, in a session that outlives its connections."""

    def __init__(self, port: int) -> None:
        self.events: list[str] = []
        self.now: dict[str, str] = {}
        self.history: list[tuple[str, str]] = []
        self._subscribed = threading.Event()
        client = Client(CallbackAPIVersion.VERSION2, "watcher", clean_session=False)
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda *_: client.subscribe("#", qos=1) and None
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._receive
        client.connect("127.0.0.1", port)
        client.loop_start()
        self._client = client
        assert self._subscribed.wait(60)

    def state(self, topic: str) -> dict[str, object]:
        found = json.loads(self.now.get(topic, "{}"))
        assert isinstance(found, dict)
        return found

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _receive(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        del client, userdata
        text = message.payload.decode()
        self.history.append((message.topic, text))
        if message.topic.endswith("/events"):
            self.events.append(json.loads(text)["sighting"])
        elif text:
            self.now[message.topic] = text
        else:
            self.now.pop(message.topic, None)


@pytest.fixture
def watch() -> Iterator[Callable[[Mosquitto], Watcher]]:
    """Opens watchers that end with the test."""
    with ExitStack() as stack:

        def open_one(broker: Mosquitto) -> Watcher:
            watcher = Watcher(broker.port)
            stack.callback(watcher.close)
            return watcher

        yield open_one


Watch = Callable[[Mosquitto], Watcher]


def mqtt(url: str, memory: Memory, prefix: str = "facestream", sync_s: float = 0.05) -> Mqtt:
    options = MqttOptions(
        parse_address(url), Topics(prefix, "homeassistant"), "1.0", timeout_s=5, sync_s=sync_s
    )
    return Mqtt(options, memory, DatabaseDirectory(memory.database))


def test_events_arrive_and_the_retained_topics_say_who_is_where(
    each_memory: Memory, mosquitto: Mosquitto, watch: Watch, start: Start
) -> None:
    memory = each_memory
    alice = memory.enrol("alice", "Alice")
    watcher = watch(mosquitto)
    start(mqtt(mosquitto.url, memory), memory)
    eventually(lambda: watcher.now.get(STATUS) == "online", what="online")
    assert watcher.now[ALICE] == "away"
    assert watcher.state(ALICE_DEVICE)["availability_topic"] == STATUS

    memory.sees("s1", "door", alice)
    memory.happens("person_enter", "door", "s1", "alice")
    eventually(lambda: watcher.events == ["s1"], what="the event")
    assert watcher.now[ALICE] == "door"
    assert watcher.state(DOOR)["people"] == [{"slug": "alice", "name": "Alice"}]
    assert DOOR_DEVICE in watcher.now

    memory.leaves("s1")
    memory.happens("person_exit", "door", "s1", "alice")
    eventually(lambda: watcher.events == ["s1", "s1"], what="the second event")
    assert watcher.now[ALICE] == "away"
    assert watcher.state(DOOR) == {"count": 0, "people": [], "unknowns": []}


def test_an_event_changes_the_state_at_once_without_a_look_at_the_memory(
    memory: Memory, mosquitto: Mosquitto, watch: Watch, start: Start
) -> None:
    watcher = watch(mosquitto)
    start(mqtt(mosquitto.url, memory, sync_s=3_600))
    eventually(lambda: watcher.now.get(STATUS) == "online", what="online")
    memory.happens("unknown_enter", "hall", "s1", unknown=7)
    memory.happens("person_enter", "door", "s2", "alice")
    eventually(lambda: watcher.events == ["s1", "s2"], what="two events")
    assert watcher.state("facestream/camera/hall/people")["unknowns"] == [7]
    assert watcher.now[ALICE] == "door"
    states = [topic for topic, _ in watcher.history]
    assert states.index(ALICE) < len(states) - 1 - states[::-1].index("facestream/events")


def test_at_start_the_states_are_those_of_the_open_sightings(
    memory: Memory, mosquitto: Mosquitto, watch: Watch, start: Start
) -> None:
    alice = memory.enrol("alice", "Alice")
    memory.enrol("bob", "Bob")
    memory.sees("s0", "hall", alice, ended=True)
    memory.sees("s1", "door", alice)
    memory.happens("person_enter", "door", "s1", "alice")
    watcher = watch(mosquitto)
    start(mqtt(mosquitto.url, memory))
    eventually(lambda: watcher.now.get(STATUS) == "online", what="online")
    assert watcher.now[ALICE] == "door"
    assert watcher.now["facestream/person/bob/camera"] == "away"
    assert watcher.state("facestream/camera/hall/people")["count"] == 0
    assert watcher.events == []


def test_a_broker_that_is_killed_loses_nothing(
    memory: Memory, mosquitto: Mosquitto, watch: Watch, start: Start
) -> None:
    alice = memory.enrol("alice", "Alice")
    watcher = watch(mosquitto)
    start(mqtt(mosquitto.url, memory))
    eventually(lambda: watcher.now.get(STATUS) == "online", what="online")
    memory.happens(sighting="first")
    eventually(lambda: "first" in watcher.events, what="the first event")
    eventually(lambda: b"watcher" in mosquitto.stored.read_bytes(), what="the watcher's session")
    mosquitto.kill()
    missed = [f"s{number}" for number in range(20)]
    for sighting in missed:
        memory.happens("unknown_enter", "yard", sighting, unknown=9)
    memory.sees("s20", "hall", alice)
    memory.happens("person_enter", "hall", "s20", "alice")
    mosquitto.start()
    eventually(lambda: set(missed) | {"s20"} <= set(watcher.events), what="what was missed")
    eventually(lambda: watcher.now.get(STATUS) == "online", what="online again")
    assert list(dict.fromkeys(watcher.events)) == ["first", *missed, "s20"]
    eventually(lambda: watcher.now.get(ALICE) == "hall", what="where she is now")


def test_who_was_somewhere_while_the_broker_was_away_is_not_said_to_be_there_now(
    memory: Memory, mosquitto: Mosquitto, watch: Watch, start: Start
) -> None:
    memory.enrol("alice", "Alice")
    sink = mqtt(mosquitto.url, memory)
    runner = start(sink)
    watcher = watch(mosquitto)
    eventually(lambda: watcher.now.get(STATUS) == "online", what="online")
    runner.ask_to_stop()
    runner.join()
    memory.happens("person_enter", "door", "s1", "alice")
    memory.happens("person_exit", "door", "s1", "alice")
    start(mqtt(mosquitto.url, memory), owner="two")
    eventually(lambda: watcher.events == ["s1", "s1"], what="both events")
    assert (ALICE, "door") not in watcher.history


def test_someone_enrolled_appears_and_someone_removed_disappears_without_an_event(
    memory: Memory, mosquitto: Mosquitto, watch: Watch, start: Start
) -> None:
    watcher = watch(mosquitto)
    start(mqtt(mosquitto.url, memory))
    eventually(lambda: watcher.now.get(STATUS) == "online", what="online")
    alice = memory.enrol("alice", "Alice")
    memory.sees("s1", "door", alice)
    memory.happens("person_enter", "door", "s1", "alice")
    eventually(lambda: watcher.now.get(ALICE) == "door", what="her topic")
    eventually(lambda: ALICE_DEVICE in watcher.now, what="her device")
    memory.remove("alice")
    eventually(lambda: ALICE not in watcher.now, what="her topic goes")
    eventually(lambda: ALICE_DEVICE not in watcher.now, what="her device goes")
    eventually(lambda: watcher.state(DOOR).get("people") == [], what="she is nowhere")


def test_what_an_earlier_run_retained_of_someone_removed_meanwhile_is_cleared(
    memory: Memory, mosquitto: Mosquitto, watch: Watch, start: Start
) -> None:
    memory.enrol("alice", "Alice")
    watcher = watch(mosquitto)
    runner = start(mqtt(mosquitto.url, memory))
    eventually(lambda: ALICE_DEVICE in watcher.now, what="her device")
    other = MqttConnection(parse_address(mosquitto.url), "other", timeout_s=5)
    foreign = "homeassistant/device/facestream_person_zoe/config"
    other.publish([Publication(foreign, '{"availability_topic": "else/status"}', retain=True)])
    other.close()
    runner.ask_to_stop()
    runner.join()
    eventually(lambda: watcher.now[STATUS] == "offline", what="the last word")
    assert ALICE in watcher.now
    memory.remove("alice")
    start(mqtt(mosquitto.url, memory), owner="two")
    eventually(lambda: not {ALICE, ALICE_DEVICE} & watcher.now.keys(), what="nothing of hers")
    assert foreign in watcher.now


def test_among_too_many_people_those_who_were_seen_keep_their_topics(
    memory: Memory, mosquitto: Mosquitto, watch: Watch, start: Start
) -> None:
    for slug in ("alice", "bob", "carol"):
        memory.enrol(slug, slug.title())
    watcher = watch(mosquitto)
    few = DatabaseDirectory(memory.database, most_people=1)
    options = mqtt(mosquitto.url, memory)._options
    runner = start(Mqtt(options, memory, few))
    eventually(lambda: watcher.now.get(STATUS) == "online", what="online")
    assert sorted(t for t in watcher.now if "/person/" in t) == ["facestream/person/carol/camera"]
    memory.happens("person_enter", "door", "s1", "alice")
    memory.happens("person_exit", "door", "s1", "alice")
    eventually(lambda: len(watcher.events) == 2, what="two events")
    runner.ask_to_stop()
    runner.join()
    again = Mqtt(replace(options, sync_s=0), memory, few)
    eventually(lambda: again.tend() is not None and ALICE in again._found, what="what is retained")
    again.tend()
    again.close()
    eventually(lambda: watcher.now.get(STATUS) == "offline", what="offline")
    assert watcher.now[ALICE] == "away"


def test_forgetting_clears_a_person_at_once_whoever_serves_the_broker(
    memory: Memory, mosquitto: Mosquitto, watch: Watch, start: Start
) -> None:
    alice = memory.enrol("alice", "Alice")
    memory.sees("s1", "door", alice)
    watcher = watch(mosquitto)
    start(mqtt(mosquitto.url, memory, sync_s=3_600))
    eventually(lambda: watcher.now.get(STATUS) == "online", what="online")
    assert watcher.state(DOOR)["count"] == 1
    memory.remove("alice")
    mqtt(mosquitto.url, memory).forget("alice")
    eventually(lambda: not {ALICE, ALICE_DEVICE} & watcher.now.keys(), what="nothing of hers")
    eventually(lambda: "Alice" not in "".join(watcher.now.values()), what="no name anywhere")
    assert watcher.now[STATUS] == "online"


def test_forgetting_says_when_the_broker_is_away(memory: Memory, mosquitto: Mosquitto) -> None:
    mosquitto.kill()
    with pytest.raises(MqttUnreachableError, match="unreachable"):
        mqtt(mosquitto.url, memory).forget("alice")


def test_when_a_process_dies_its_last_will_says_offline(mosquitto: Mosquitto, watch: Watch) -> None:
    watcher = watch(mosquitto)
    will = Publication(STATUS, "offline", retain=True)
    address = parse_address(mosquitto.url)
    dying = MqttConnection(address, "facestream-x", timeout_s=5, will=will)
    dying.publish([Publication(STATUS, "online", retain=True)])
    eventually(lambda: watcher.now.get(STATUS) == "online", what="online")
    successor = MqttConnection(address, "facestream-x", timeout_s=5, will=will)
    eventually(lambda: watcher.now.get(STATUS) == "offline", what="the last will")
    eventually(lambda: not dying.alive, what="the last owner is told")
    with pytest.raises(MqttUnreachableError):
        dying.publish([Publication(STATUS, "online", retain=True)])
    dying.close()
    successor.close()


def test_an_event_that_cannot_be_read_is_a_dead_letter_and_the_next_one_goes(
    memory: Memory, mosquitto: Mosquitto, watch: Watch, start: Start
) -> None:
    watcher, kept = watch(mosquitto), Kept()
    start(mqtt(mosquitto.url, memory), kept=kept)
    eventually(lambda: watcher.now.get(STATUS) == "online", what="online")
    with memory.database.writing() as session:
        bad = memory.row("person_enter", "door", "s0", "alice", 0)
        bad.payload = "{}"
        session.add(bad)
    memory.happens(sighting="s1")
    eventually(lambda: watcher.events == ["s1"], what="the next event")
    assert [reason for _, reason, _ in kept.letters] == ["bad-event"]


def test_a_broker_that_wants_a_password_gets_it_and_a_wrong_one_is_refused(
    memory: Memory, make_mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("me:p@ss\n")
    path = f"{os.environ.get('PATH', '')}:/usr/bin"
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True, env={"PATH": path})
    broker = make_mosquitto(f"password_file {passwords}")
    right = mqtt(broker.url.replace("://", "://me:p%40ss@"), memory)
    right.tend()
    right.close()
    wrong = mqtt(broker.url.replace("://", "://me:wrong@"), memory)
    outcome = wrong.tend()
    assert isinstance(outcome, TryAgain)
    assert outcome.reason == "refused"


@pytest.mark.filterwarnings(
    # paho leaves the socket of a failed handshake to the collector.
    "ignore:.*ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
def test_a_secure_broker_is_verified(
    memory: Memory, make_mosquitto: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(
            [*command, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True
        )
    except FileNotFoundError:
        require_or_skip(False, "openssl is not installed")
    broker = make_mosquitto(f"certfile {certificate}", f"keyfile {key}")
    sink = mqtt(broker.url.replace("mqtt://", "mqtts://"), memory)
    outcome = sink.tend()
    assert isinstance(outcome, TryAgain)
    assert outcome.reason == "tls"
    gc.collect()
    address = replace(sink._options.address, ca_file=certificate)
    trusted = Mqtt(
        replace(sink._options, address=address), memory, DatabaseDirectory(memory.database)
    )
    trusted.tend()
    assert trusted._connection is not None
    trusted.close()
