"""Strangers come by; one gets a name, the past carries it; then everything of them is erased."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka.admin import AdminClient

from tests.integration.identifier.conftest import database_address, new_postgres_database, postgres
from tests.pipeline import CLIP_FRAMES, MIRANDA, Services, read_all, services
from tests.waiting import eventually

__all__ = ["database_address", "new_postgres_database", "postgres"]

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]


class Asking(AbstractContextManager["Asking"]):
    """The REST API of the identifier that runs."""

    def __init__(self, run: Services) -> None:
        base = f"http://127.0.0.1:{run.env['API_PORT']}/api/v1"
        self._client = httpx.Client(base_url=base, timeout=60)

    def get(self, path: str, **query: str | int) -> Any:
        answer = self._client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **body: str) -> Any:
        answer = self._client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def status(self, path: str) -> int:
        return self._client.get(path).status_code

    def content(self, path: str) -> bytes:
        return self._client.get(path).content

    def __exit__(self, *_: object) -> None:
        self._client.close()


def until(found: Callable[[], Any], what: str) -> Any:
    """What is found, once it is."""
    last: list[Any] = []

    def is_there() -> bool:
        last[:] = [found()]
        return bool(last[0])

    eventually(is_there, 90, what)
    return last[0]


def test_a_stranger_is_named_and_found_in_the_past_and_erased_without_a_trace(
    kafka: str, topic_prefix: str, test_data: Path, tmp_path: Path, database_address: str
) -> None:
    folder = tmp_path / "run"
    with ExitStack() as at_exit:
        run = at_exit.enter_context(
            services(kafka, topic_prefix, folder, DATABASE_URL=database_address)
        )
        run.start("worker")
        run.start("identifier")
        run.ready()
        run.start(
            "producer", SOURCES=f"stage={test_data / 'clip_hamilton' / 'clip.mp4'}", LOOP="true"
        )
        api = at_exit.enter_context(Asking(run))

        def well_seen() -> list[dict[str, Any]]:
            ended = [s for s in api.get("/sightings", named="false")["sightings"] if s["ended"]]
            # The audience behind them is too dark for a reference photo.
            return [s for s in ended if s["frames"] > 15 and s["quality"] > 0.75]

        came = until(well_seen, "a stranger came and went")
        stranger = max(came, key=lambda sighting: float(sighting["quality"]))
        number = stranger["unknown"]
        assert {e["type"] for e in api.get("/events")["events"]} >= {
            "unknown_enter",
            "unknown_exit",
        }

        named = api.post(f"/unknowns/{number}/name", name="Zebedee Quark")
        assert named["person"]["slug"] == "zebedee-quark"
        past = api.get(f"/sightings/{stranger['id']}")
        assert past["person"] == {"slug": "zebedee-quark", "name": "Zebedee Quark"}
        assert (past["found_by"], past["unknown"]) == ("naming", number)
        assert api.content(f"/sightings/{stranger['id']}/crop")[:2] == b"\xff\xd8"

        chain = api.get(f"/sightings/{stranger['id']}/explanation")
        assert chain["frame"]["topic"] == run.env["TOPIC_RAW"]
        assert chain["photo"]["id"] in named["references"]
        assert api.content(f"/sightings/{stranger['id']}/frame")[:2] == b"\xff\xd8"

        def live() -> list[dict[str, Any]]:
            found = api.get("/sightings", person="zebedee-quark")["sightings"]
            return [s for s in found if s["found_by"] == "live"]

        until(live, "they are recognised when they come again")

        proof = erased(api)
        assert proof["verified"]
        assert api.status("/people/zebedee-quark") == 404
        assert api.get("/sightings", person="zebedee-quark")["sightings"] == []
        assert api.status(f"/sightings/{stranger['id']}") == 404
        told = api.get("/events", limit=500)["events"]
        assert not any(event["person"] for event in told)
        topics = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics
        assert f"{run.env['TOPIC_PERSON_PREFIX']}zebedee-quark" not in topics
        kept = {each["topic"] for each in proof["kept"]}
        assert kept >= {run.env["TOPIC_RAW"], run.env["TOPIC_DETECTED"], run.env["TOPIC_EVENTS"]}
    assert "ebedee" not in run.logs
    published = read_all(kafka, run.env["TOPIC_EVENTS"])
    assert any(b"person_enter" in (m.value() or b"") for m in published)


def erased(api: Asking) -> Any:
    """The proof."""
    proof = api.post("/people/zebedee-quark/erase")
    assert proof["remaining"] == []
    return proof


def facestream(run: Services, *arguments: str) -> str:
    """What a command prints that talks to the identifier."""
    address = f"http://127.0.0.1:{run.env['API_PORT']}"
    done = subprocess.run(
        [sys.executable, "-m", "services.cli.main", *arguments],
        env=os.environ | {"IDENTIFIER_URL": address, "DATA_DIR": run.env["DATA_DIR"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_somebody_enrolled_today_is_found_in_what_was_seen_before(
    kafka: str, topic_prefix: str, test_data: Path, tmp_path: Path
) -> None:
    clip = test_data / "clip_hamilton"
    with ExitStack() as at_exit:
        run = at_exit.enter_context(services(kafka, topic_prefix, tmp_path / "run"))
        run.start("worker")
        run.start("identifier")
        run.ready()
        producer = run.start("producer", SOURCES=f"stage={clip / 'clip.mp4'}", REALTIME="false")
        run.ended(producer)
        api = at_exit.enter_context(Asking(run))
        eventually(
            lambda: len(read_all(kafka, run.env["TOPIC_IDENTIFIED"])) == CLIP_FRAMES, 90, "all seen"
        )
        assert api.get("/sightings", named="true")["sightings"] == []

        facestream(run, "people", "add", MIRANDA, str(clip / "ref" / "lin_manuel_miranda.png"))
        search = until(
            lambda: [b for b in api.get("/backfills")["backfills"] if b["state"] == "done"],
            "the past was searched",
        )[0]
        assert search["faces"] == search["faces_total"] > 500
        found = api.get("/sightings", person="lin-manuel-miranda")["sightings"]
        assert {sighting["found_by"] for sighting in found} == {"backfill"}
        assert sum(sighting["frames"] for sighting in found) >= 140

        table = facestream(run, "sightings", "--person", MIRANDA, "--csv")
        assert table.count("backfill") == len(found)
        why = facestream(run, "explain", found[0]["id"])
        for part in (found[0]["id"], run.env["TOPIC_RAW"], "w600k_mbf.onnx", "threshold 0.33"):
            assert part in why
        facestream(run, "people", "erase", MIRANDA, "--yes")
        assert api.get("/sightings", named="true")["sightings"] == []
