"""From a sighting back to the frame and the photo."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import cv2
import httpx
import numpy as np
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from identifier.api.explain import explain_routes
from identifier.history.explain import Explainer
from identifier.history.raw_frames import RawFrames
from services.records.frames import FrameMeta, to_headers
from tests.integration.identifier.history.bench import ALICE, Bench, api, detected
from tests.processed import START

pytestmark = pytest.mark.kafka


def picture(shade: int) -> bytes:
    return cv2.imencode(".jpg", np.full((48, 64, 3), shade, np.uint8))[1].tobytes()


def get(bench: Bench, path: str) -> httpx.Response:
    with api(explain_routes(Explainer(bench.database, RawFrames(bench.settings)))) as client:
        return client.get(path)


def log_frames(bench: Bench, count: int, session: str = "s") -> None:
    """Frames of the camera in the raw topic, number = offset, and what was found in them."""
    topic = bench.settings.topic_raw
    for seq in range(count):
        at = START + timedelta(seconds=seq / 10)
        meta = FrameMeta("door", session, seq, at, 64, 48, "live:file")
        bench.producer.produce(
            topic,
            value=picture(seq),
            headers=[*to_headers(meta)],
            partition=1,
            timestamp=int(at.timestamp() * 1000),
        )
    assert bench.producer.flush(20) == 0
    for seq in range(count):
        faces = detected(seq, ALICE, session="s")
        for record in faces:
            record.frame.topic, record.frame.partition, record.frame.offset = topic, 1, seq
            record.face.sharpness = 500 if seq == 5 else 10
        bench.log(faces)


def test_the_chain_leads_from_the_sighting_to_the_frame_and_the_photo(bench: Bench) -> None:
    log_frames(bench, 10)
    slug = bench.enrol("Alice", ALICE)
    bench.run(slug)
    (sighting,) = bench.sightings()

    told = get(bench, f"/api/v1/sightings/{sighting.id}/explanation").json()
    person = bench.store.person(slug)
    assert person is not None
    (kept,) = person.photos
    assert told["person"] == {"slug": "alice", "name": "Alice"}
    assert told["found_by"] == "backfill"
    assert told["track"]["frames"] == 10
    place = [told["frame"][name] for name in ("topic", "partition", "offset", "seq")]
    assert place == [bench.settings.topic_raw, 1, 5, 5]
    assert datetime.fromisoformat(told["frame"]["captured_at"]) == START + timedelta(seconds=0.5)
    assert told["frame"]["retained"] is True
    assert [model["role"] for model in told["models"]] == ["recogniser"]
    assert (told["photo"]["id"], told["photo"]["sha256"]) == (kept.id, kept.sha256)
    assert told["photo"]["state"] == "kept"
    assert told["photo"]["address"] == f"/api/v1/people/alice/faces/{kept.id}/photo"
    assert told["match"]["best_similarity"] == pytest.approx(1, abs=1e-4)
    assert told["match"]["threshold"] == pytest.approx(0.33)
    assert told["match"]["gallery_version"] == bench.store.version()
    for word in (
        "Alice (alice)",
        f"{bench.settings.topic_raw}/1/5",
        kept.sha256,
        "retained",
    ):
        assert word in told["text"]

    frame = get(bench, told["frame"]["address"])
    assert frame.headers["content-type"] == "image/jpeg"
    assert frame.content == picture(5)


def test_a_photo_that_was_deleted_since_is_still_named_by_its_digest(bench: Bench) -> None:
    log_frames(bench, 10)
    slug = bench.enrol("Alice", ALICE)
    bench.run(slug)
    person = bench.store.person(slug)
    assert person is not None
    (kept,) = person.photos
    bench.store.remove_photo(slug, kept.id)
    (sighting,) = bench.sightings()

    told = get(bench, f"/api/v1/sightings/{sighting.id}/explanation").json()
    assert told["photo"]["state"] == "deleted"
    assert told["photo"]["address"] is None
    assert told["photo"]["sha256"] == kept.sha256
    assert datetime.fromisoformat(told["photo"]["enrolled_at"]) <= datetime.now(UTC)
    assert "deleted since" in told["text"]


def test_a_frame_that_the_log_has_forgotten_is_gone(sqlite_bench: Bench) -> None:
    log_frames(sqlite_bench, 10)
    sqlite_bench.run(sqlite_bench.enrol("Alice", ALICE))
    (sighting,) = sqlite_bench.sightings()
    admin = AdminClient({"bootstrap.servers": sqlite_bench.settings.kafka_bootstrap_servers})
    for future in admin.delete_records(
        [TopicPartition(sqlite_bench.settings.topic_raw, 1, 6)]
    ).values():
        future.result(20)

    answer = get(sqlite_bench, f"/api/v1/sightings/{sighting.id}/frame")
    assert (answer.status_code, answer.json()["reason"]) == (410, "frame-expired")
    told = get(sqlite_bench, f"/api/v1/sightings/{sighting.id}/explanation").json()
    assert told["frame"]["retained"] is False


def test_another_record_at_that_place_is_not_shown(sqlite_bench: Bench) -> None:
    log_frames(sqlite_bench, 10, session="another")
    sqlite_bench.run(sqlite_bench.enrol("Alice", ALICE))
    (sighting,) = sqlite_bench.sightings()
    assert get(sqlite_bench, f"/api/v1/sightings/{sighting.id}/frame").status_code == 410


def test_a_sighting_that_is_not_there_is_not_found(sqlite_bench: Bench) -> None:
    for path in ("explanation", "frame"):
        answer = get(sqlite_bench, f"/api/v1/sightings/{'0' * 32}/{path}")
        assert (answer.status_code, answer.json()["reason"]) == (404, "no-such-sighting")
