"""`deploy/backup`, everything lost, `deploy/restore`: who was known and seen is known again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stack.engine import Stack
from tests.stack.test_demo import names_everybody
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)

ASK = """
import json, pathlib, sys, urllib.request
token = pathlib.Path("/run/secrets/api_token").read_text().strip()
url = "http://identifier:5011/api/v1/" + sys.argv[1]
request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
print(urllib.request.urlopen(request, timeout=20).read().decode())
"""


def people(stack: Stack) -> set[tuple[str, str]]:
    """Who is enrolled, and since when: the folder of photos alone would give another time."""
    answer = json.loads(stack.python(ASK, "people"))
    return {(person["name"], person["created_at"]) for person in answer["people"]}


def end_offsets(stack: Stack) -> list[int]:
    """Where the partitions of frames.processed end."""
    tool = "/opt/kafka/bin/kafka-get-offsets.sh"
    told = stack.compose(
        *("exec", "-T", "kafka", tool, "--bootstrap-server", "kafka:9092"),
        *("--topic", "frames.processed"),
    )
    return [int(line.rpartition(":")[2]) for line in sorted(told.splitlines())]


def test_what_was_known_is_known_again(demo: Stack, tmp_path: Path) -> None:
    names_everybody(demo)
    demo.compose("stop", "producer")
    eventually(
        lambda: sum(lag for _, lag in demo.group("facestream-worker").values()) == 0,
        120,
        "everything read",
    )
    known, offsets = people(demo), end_offsets(demo)
    assert {name for name, _ in known} == {"Barack Obama", "Yao Ming"}

    told = demo.script("backup", str(tmp_path / "kept"))
    assert {line.split()[1] for line in told.splitlines()} == {
        "kafka-data",
        "postgres-data",
        "identifier-data",
        "viewer-data",
    }
    demo.compose("down", "--volumes")

    demo.script("restore", str(tmp_path / "kept"))
    pairs = zip(end_offsets(demo), offsets, strict=True)
    assert all(now >= then for now, then in pairs), "what was in Kafka is in it again"
    assert people(demo) == known
    names_everybody(demo)
