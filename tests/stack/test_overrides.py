"""Three brokers of which one dies; TLS and SASL between everything, with other overrides too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stack.engine import SERVICES, Stack, stack
from tests.stack.test_demo import WORKERS, all_go_on, members, names_everybody
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)

# Strangers at each broker that is named: without TLS, then with it and no more than the viewer has.
STRANGER = """
import sys
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

plain = {"security.protocol": "plaintext"}
shown = {
    "security.protocol": "ssl",
    "ssl.ca.location": "/run/secrets/ca",
    "ssl.certificate.location": "/run/secrets/certificate",
    "ssl.key.location": "/run/secrets/key",
}
for broker in sys.argv[1:]:
    for manner in (plain, shown):
        asked = AdminClient({"bootstrap.servers": broker, "log_level": 0, **manner})
        try:
            print(broker, "let in, of", len(asked.list_topics(timeout=5).brokers))
        except KafkaException:
            print(broker, "refused")
"""

# What `host:port/path` answers: over http, over https, over https to one who does not know the
# authority.
PROBE = """
import http.client, json, ssl, sys

def status(connection, path):
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return "refused"

def ask(host, path, authority):
    trusted = ssl.create_default_context(cafile=authority)
    return status(http.client.HTTPSConnection(host, timeout=10, context=trusted), path)

found = {}
for each in sys.argv[1:]:
    host, slash, path = each.partition("/")
    found[host] = [
        status(http.client.HTTPConnection(host, timeout=10), slash + path),
        ask(host, slash + path, "/run/secrets/ca"),
        ask(host, slash + path, None),
    ]
print(json.dumps(found))
"""

# As in test_monitoring, over https.
ASK_PROMETHEUS = """
import ssl, sys, urllib.request
trusted = ssl.create_default_context(cafile="/run/secrets/ca")
url = "https://prometheus:9090/api/v1/" + sys.argv[1]
print(urllib.request.urlopen(url, timeout=20, context=trusted).read().decode())
"""


def answers(stack: Stack, *addresses: str) -> dict[str, list[int | str]]:
    """What PROBE finds, asked from the viewer's container."""
    found: dict[str, list[int | str]] = json.loads(stack.python(PROBE, *addresses))
    return found


def test_a_cluster_goes_on_without_one_of_its_brokers(images: None, tmp_path: Path) -> None:
    with stack(
        tmp_path, ["compose.demo.yml", "compose.cluster.yml"], FPS="3", KAFKA_HEAP="256m"
    ) as made:
        made.up()
        told = made.kafka_tool("kafka-topics", "--describe", "--topic", "frames.raw")
        assert "ReplicationFactor: 3" in told
        assert "min.insync.replicas=2" in told
        names_everybody(made)

        made.compose("kill", "kafka-2")
        now = made.get("/api/state.json").json()["now"]
        eventually(lambda: all_go_on(made, now), 120, "new frames of every camera")


def test_everything_speaks_tls_and_strangers_are_refused(images: None, tmp_path: Path) -> None:
    with stack(tmp_path, ["compose.demo.yml", "compose.tls.yml"], FPS="3") as made:
        made.script("tls")
        made.up(*SERVICES)
        names_everybody(made)
        assert set(made.python(STRANGER, "kafka:9092").splitlines()) == {"kafka:9092 refused"}
        secured = {
            "identifier:5011/api/v1/health": 200,
            "producer:5012/push": 401,
            "viewer:5010/login": 200,
            **{f"{service}:9100/readyz": 200 for service in SERVICES},
        }
        assert answers(made, *secured) == {
            address.partition("/")[0]: ["refused", status, "refused"]
            for address, status in secured.items()
        }
        encrypted = made.compose(
            *("exec", "-T", "postgres", "psql", "--username=facestream", "--tuples-only"),
            "--command=select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) "
            "where client_addr is not null",
        )
        assert encrypted.strip() == "t"
        assert made.page.startswith("https://")
        # The page and the command line ask the identifier over https.
        assert "Barack Obama" in made.get("/people").text
        told = made.compose("exec", "-T", "viewer", "facestream", "people", "list")
        assert "Barack Obama" in told

        def identifier_check() -> str:
            checks = made.get("/api/doctor.json").json()["checks"]
            found = [check for check in checks if check["what"] == "identifier API"]
            return found[0]["detail"] if found else ""

        eventually(
            lambda: identifier_check() == "https://identifier:5011 answers", 60, "the doctor's word"
        )
        assert set(made.group(WORKERS)) == set(range(6))


def test_brokers_of_a_cluster_speak_tls_to_one_another(images: None, tmp_path: Path) -> None:
    files = [
        "compose.demo.yml",
        "compose.cluster.yml",
        "compose.tls.yml",
        "compose.tls.cluster.yml",
    ]
    with stack(tmp_path, files, FPS="3", KAFKA_HEAP="256m") as made:
        made.script("tls")
        made.up(*SERVICES)
        told = made.kafka_tool("kafka-topics", "--describe", "--topic", "frames.raw")
        assert "ReplicationFactor: 3" in told
        names_everybody(made)
        brokers = ("kafka", "kafka-2", "kafka-3")
        doors = [f"{broker}:{port}" for broker in brokers for port in (9092, 9095)]
        refused = {f"{door} refused" for door in doors}
        assert set(made.python(STRANGER, *doors).splitlines()) == refused

        made.compose("kill", "kafka-2")
        now = made.get("/api/state.json").json()["now"]
        eventually(lambda: all_go_on(made, now), 120, "new frames of every camera")


def test_prometheus_and_the_autoscaler_work_over_tls(images: None, tmp_path: Path) -> None:
    files = ["compose.demo.yml", "compose.monitoring.yml", "compose.autoscaler.yml"]
    files += ["compose.tls.yml", "compose.tls.monitoring.yml", "compose.tls.autoscaler.yml"]
    with stack(tmp_path, files, FPS="3", MIN_WORKERS="2", MAX_WORKERS="2") as made:
        made.compose("build", "--quiet", "autoscaler")
        made.script("tls")
        # Without Grafana and Kafka's exporter, which need a registry.
        made.up("prometheus", "autoscaler", *SERVICES)

        def up() -> list[tuple[str, str]]:
            told = json.loads(made.python(ASK_PROMETHEUS, "targets?state=active"))
            targets = [each for each in told["data"]["activeTargets"] if each["health"] == "up"]
            return sorted((t["labels"]["job"], t["scrapeUrl"].partition(":")[0]) for t in targets)

        # The second worker is a copy that the autoscaler made: it has its certificate, too.
        jobs = ("identifier", "producer", "viewer", "worker", "worker")
        eventually(lambda: up() == [(job, "https") for job in jobs], 180, "all of them, up")
        eventually(lambda: sorted(members(made).values()) == [3, 3], 120, "three partitions each")
        names_everybody(made)
        assert answers(made, "prometheus:9090/-/ready", "autoscaler:9100/readyz") == {
            "prometheus:9090": [400, 200, "refused"],  # it says so, in plain words
            "autoscaler:9100": ["refused", 200, "refused"],
        }
