"""Prometheus finds every service, and its alerts fire and clear."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.stack.engine import DEPLOY, SERVICES, Stack, docker
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)

ASK = """
import sys, urllib.request
url = "http://prometheus:9090/api/v1/" + sys.argv[1]
print(urllib.request.urlopen(url, timeout=20).read().decode())
"""


@pytest.fixture(scope="module")
def watched(demo: Stack) -> Iterator[Stack]:
    """The demo and Prometheus; without Grafana and Kafka's exporter, which need a registry."""
    made = replace(demo, files=(*demo.files, "compose.monitoring.yml"))
    made.up("prometheus", *SERVICES)
    yield made
    made.compose("rm", "--stop", "--force", "prometheus")
    docker("volume", "rm", f"{made.project}_prometheus-data")


def firing(stack: Stack) -> set[tuple[str, str]]:
    """Alerts that fire, each with its camera where it has one."""
    alerts = json.loads(stack.python(ASK, "alerts"))["data"]["alerts"]
    return {
        (alert["labels"]["alertname"], alert["labels"].get("camera", ""))
        for alert in alerts
        if alert["state"] == "firing"
    }


def test_every_worker_and_every_service_is_scraped(watched: Stack) -> None:
    watched.scale(2)

    def up() -> list[str]:
        targets = json.loads(watched.python(ASK, "targets?state=active"))["data"]["activeTargets"]
        return sorted(t["labels"]["job"] for t in targets if t["health"] == "up")

    eventually(
        lambda: up() == ["identifier", "producer", "viewer", "worker", "worker"],
        90,
        "all of them, up",
    )
    watched.scale(1)


def test_a_camera_that_stops_is_told_of_and_it_clears(watched: Stack) -> None:
    eventually(
        lambda: "CameraSilent" not in {name for name, _ in firing(watched)}, 120, "all is quiet"
    )
    watched.compose("stop", "producer")
    eventually(lambda: ("CameraSilent", "office") in firing(watched), 120, "the alert")
    watched.compose("start", "producer")
    eventually(lambda: ("CameraSilent", "office") not in firing(watched), 120, "no alert")


def test_workers_that_are_gone_are_told_of(watched: Stack) -> None:
    watched.compose("stop", "worker")
    eventually(lambda: ("NoWorkers", "") in firing(watched), 120, "the alert")
    watched.compose("start", "worker")
    eventually(lambda: ("NoWorkers", "") not in firing(watched), 120, "no alert")


@pytest.mark.parametrize("check", ["check rules /m/alerts.yml", "test rules /m/alerts_test.yml"])
def test_the_rules_hold_on_made_up_series(engine: None, check: str) -> None:
    mount = f"{DEPLOY / 'monitoring'}:/m:ro"
    told = docker(
        *("run", "--rm", "--volume", mount, "--entrypoint=promtool", "prom/prometheus:latest"),
        *check.split(),
    )
    assert "SUCCESS" in told


def test_every_metric_of_dashboard_and_rules_is_one_of_ours() -> None:
    listed = (DEPLOY.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^\| `(facestream_[a-z_]+)`", listed, re.MULTILINE))
    monitoring = DEPLOY / "monitoring"
    files = (monitoring / "alerts.yml", *monitoring.glob("grafana/dashboards/*.json"))
    texts = [path.read_text(encoding="utf-8") for path in files]
    used = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for text in texts
        for name in re.findall(r"facestream_[a-z_]+", text)
    }
    assert used - known == set()
