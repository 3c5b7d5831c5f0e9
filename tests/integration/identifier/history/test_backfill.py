"""Finding someone in the faces of the past, on a real Kafka and on both databases."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from consumer.records import frame_outputs
from identifier.api.backfills import backfill_routes
from identifier.enrolment import Enroller
from identifier.gallery.database import Database, sqlite_url
from identifier.gallery.tables import PersonRow
from identifier.memory.tables import NegativeRow, SightingRow, UnknownRow
from services.lifecycle.stopping import StopSignal
from services.models.analysis import FaceAnalyser
from services.records.embeddings import to_bytes
from services.records.facestream_pb2 import DetectedFace, FrameRef, ModelFile, ModelPack
from services.records.jpeg import decode_jpeg, jpeg_size
from tests.footage import clip_jpegs
from tests.integration.identifier.history.bench import (
    ALICE,
    BOB,
    CROP,
    Bench,
    a_bench,
    api,
    detected,
    row,
)
from tests.pipeline import MIRANDA
from tests.processed import RECOGNISER, START, embedding
from tests.waiting import eventually

pytestmark = pytest.mark.kafka


def stays(first: int, last: int, camera: str = "door") -> list[list[DetectedFace]]:
    """Alice and a stranger, frame by frame."""
    return [detected(seq, ALICE, embedding(50), camera=camera) for seq in range(first, last + 1)]


def seen(rows: list[SightingRow]) -> list[tuple[str, int, int, int]]:
    return [(found.camera, found.first_seq, found.last_seq, found.frames) for found in rows]


def facts(rows: list[SightingRow]) -> list[tuple[object, ...]]:
    """Everything a row says but its crop's key and when it was written."""
    return [
        (
            *seen([found])[0],
            found.id,
            found.person_id,
            found.found_by,
            found.best_seq,
            round(found.mean_similarity or 0, 5),
            found.raw_offset,
            found.reference_sha256,
            np.frombuffer(found.embedding, "<f4").round(5).tobytes(),
        )
        for found in rows
    ]


def test_someone_enrolled_today_is_found_in_what_was_logged_before(bench: Bench) -> None:
    bench.log(*stays(0, 9), *stays(60, 69), detected(100, ALICE), detected(101, embedding(51)))
    bench.log(*stays(30, 34, camera="yard"), partition=1)
    slug = bench.enrol("Alice", ALICE)

    done = bench.run(slug)

    assert (done.state, done.error, done.faces, done.faces_total) == ("done", "", 52, 52)
    assert (done.hits, done.sightings) == (26, 3)
    rows = bench.sightings()
    assert seen(rows) == [("door", 0, 9, 10), ("yard", 30, 34, 5), ("door", 60, 69, 10)]
    first = rows[0]
    assert (first.found_by, first.ended, first.unknown_id) == ("backfill", True, None)
    assert first.best_similarity == pytest.approx(1, abs=1e-4)
    assert first.raw_topic == "frames.raw"
    assert first.threshold == pytest.approx(0.33)
    assert json.loads(first.model_files)[0]["sha256"] == RECOGNISER
    person = bench.store.person(slug)
    assert person is not None
    assert first.reference == person.photos[0].id
    assert first.reference_sha256 == person.photos[0].sha256
    assert bench.crops.get(first.crop) == CROP


def test_only_what_was_logged_since_is_looked_at(sqlite_bench: Bench) -> None:
    sqlite_bench.log(*stays(0, 9), *stays(100, 109))
    done = sqlite_bench.run(sqlite_bench.enrol("Alice", ALICE), since_s=5)
    assert done.faces == 20
    assert seen(sqlite_bench.sightings()) == [("door", 100, 109, 10)]


def test_a_face_that_is_more_like_another_person_is_theirs(sqlite_bench: Bench) -> None:
    between = ALICE + 1.2 * BOB
    between /= np.linalg.norm(between)
    sqlite_bench.log(*[detected(seq, between.astype(np.float32)) for seq in range(5)])
    slug = sqlite_bench.enrol("Alice", ALICE)
    sqlite_bench.enrol("Bob", BOB)
    done = sqlite_bench.run(slug)
    assert (done.hits, sqlite_bench.sightings()) == (0, [])


def test_of_single_pictures_one_face_is_enough(sqlite_bench: Bench) -> None:
    sqlite_bench.log(detected(0, ALICE, source="stored:images"))
    sqlite_bench.run(sqlite_bench.enrol("Alice", ALICE))
    assert seen(sqlite_bench.sightings()) == [("door", 0, 0, 1)]


def test_a_backfill_that_died_midway_is_finished_by_another_as_if_nothing_was(
    bench: Bench,
) -> None:
    for at in range(0, 1200, 400):
        bench.log(*stays(at, at + 30), *stays(at + 60, at + 80, camera="yard"))
        bench.log(*stays(at + 10, at + 40, camera="gate"), partition=1)
    slug = bench.enrol("Alice", ALICE)
    looks = 0

    def dies() -> bool:
        nonlocal looks
        looks += 1
        if looks == 8:
            raise SystemExit  # where it is, and no goodbye
        return False

    first = bench.backfills(dies, bench.config(batch_faces=40, checkpoint_s=0, lease_s=0.3))
    started = first.start(slug, START - timedelta(minutes=1))
    assert started is not None
    with pytest.raises(SystemExit):
        first.run(StopSignal())
    broken = first.get(started.id)
    assert broken is not None
    assert broken.state == "running"
    assert 0 < broken.faces < 498

    second = bench.backfills()
    second.begin()
    done = bench.ended(second, started.id)
    resumed = facts(bench.sightings())
    assert (done.state, done.sightings) == ("done", 9)

    with bench.database.writing() as session:
        for found in bench.sightings():
            session.delete(session.get_one(SightingRow, found.id))
    bench.run(slug)
    assert facts(bench.sightings()) == resumed
    assert len(resumed) == 9


def test_overlapping_backfills_make_no_second_row(bench: Bench) -> None:
    bench.log(*stays(0, 30), *stays(100, 130))
    slug = bench.enrol("Alice", ALICE)
    bench.run(slug, since_s=11.5)
    assert seen(bench.sightings()) == [("door", 115, 130, 16)]

    assert bench.run(slug).sightings == 1
    assert seen(bench.sightings()) == [("door", 0, 30, 31), ("door", 100, 130, 31)]
    before = facts(bench.sightings())

    assert bench.run(slug, since_s=1).sightings == 0
    assert facts(bench.sightings()) == before
    assert bench.crop_keys() == {found.crop for found in bench.sightings()}


def test_a_sighting_of_the_stranger_gets_the_name_and_no_row_beside_it(bench: Bench) -> None:
    with bench.database.writing() as session:
        unknown = UnknownRow(
            recogniser_sha256=RECOGNISER,
            embedding=to_bytes(ALICE),
            weight=1.0,
            first_at=START,
            last_at=START,
        )
        session.add(unknown)
        session.flush()
        number = unknown.id
    bench.add(row("a" * 32, ALICE, 0, 20, unknown_id=number, raw_offset=3, crop="kept"))
    bench.add(row("b" * 32, embedding(50), 0, 20, x=14.0, last_x=14.0, raw_offset=4))
    bench.log(*stays(0, 20))

    done = bench.run(bench.enrol("Alice", ALICE))

    named, other = bench.sightings()
    assert (named.id, named.found_by, named.unknown_id) == ("a" * 32, "backfill", None)
    assert named.person_id is not None
    assert (named.frames, named.crop, named.best_seq) == (21, "kept", 0)
    assert named.best_similarity == pytest.approx(1, abs=1e-4)
    assert (other.person_id, other.found_by) == (None, "live")
    assert done.sightings == 1


def test_someone_who_is_still_there_is_left_to_the_track_that_follows_them(
    sqlite_bench: Bench,
) -> None:
    sqlite_bench.add(row("a" * 32, ALICE, 0, 10, ended=False))
    sqlite_bench.log(*stays(0, 40))
    sqlite_bench.run(sqlite_bench.enrol("Alice", ALICE))
    (found,) = sqlite_bench.sightings()
    assert (found.found_by, found.ended, found.frames) == ("backfill", False, 11)
    assert found.person_id is not None


def test_the_end_of_the_log_is_written_when_the_memory_had_time_to(sqlite_bench: Bench) -> None:
    now_s = datetime.now(UTC).timestamp() - START.timestamp()
    sqlite_bench.log(*stays(0, 9), at_s=now_s)
    slug = sqlite_bench.enrol("Alice", ALICE)
    backfills = sqlite_bench.backfills(config=sqlite_bench.config(settle_s=3600))
    started = backfills.start(slug, START)
    assert started is not None
    backfills.begin()

    def looked_at() -> int:
        found = backfills.get(started.id)
        assert found is not None
        return found.faces_total

    eventually(lambda: looked_at() == 20, what="the log is read")
    backfills.close()
    waiting = backfills.get(started.id)
    assert waiting is not None
    assert (waiting.state, sqlite_bench.sightings()) == ("running", [])

    later = sqlite_bench.backfills(config=sqlite_bench.config(settle_s=0.0))
    later.begin()
    assert sqlite_bench.ended(later, started.id).sightings == 1


def test_what_was_said_not_to_be_them_stays_so(bench: Bench) -> None:
    slug = bench.enrol("Alice", ALICE)
    bench.add(row("a" * 32, ALICE, 0, 20))
    with bench.database.writing() as session:
        person = session.query(PersonRow).one()
        session.add(
            NegativeRow(
                person_id=person.id,
                sighting_id="a" * 32,
                recogniser_sha256=RECOGNISER,
                embedding=to_bytes(BOB),
            )
        )
    bench.log(*stays(0, 20))
    bench.run(slug)
    (found,) = bench.sightings()
    assert found.person_id is None


def test_a_cancelled_backfill_ends_and_keeps_what_it_found(bench: Bench) -> None:
    bench.log(*stays(0, 30), *stays(1000, 1030))
    slug = bench.enrol("Alice", ALICE)
    backfills = bench.backfills()
    started = backfills.start(slug, START)
    assert started is not None
    again = backfills.start(slug, START + timedelta(seconds=5))
    assert again is not None
    assert again.id == started.id, "one that waits already is enough"
    cancelled = backfills.cancel(started.id)
    assert cancelled is not None
    assert cancelled.state == "cancelled"
    backfills.begin()
    later = backfills.start(slug, START)
    assert later is not None
    assert bench.ended(backfills, later.id).state == "done"
    found = backfills.get(started.id)
    assert found is not None
    assert (found.state, found.faces) == ("cancelled", 0)
    assert [one.id for one in backfills.listed(10)] == [later.id, started.id]
    assert [one.id for one in backfills.listed(1, after=later.id)] == [started.id]


def test_nobody_is_looked_for_who_is_not_there(sqlite_bench: Bench) -> None:
    assert sqlite_bench.backfills().start("nobody", START) is None
    assert sqlite_bench.backfills().get("0" * 32) is None


def test_the_in_memory_broker_is_searched_from_its_beginning(
    memory_broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    database = Database(sqlite_url(tmp_path / "gallery"))
    for bench in a_bench(memory_broker, topic_prefix, database, tmp_path):
        bench.log(*stays(0, 9), *stays(100, 109))
        done = bench.run(bench.enrol("Alice", ALICE), since_s=5)
        assert (done.state, done.faces) == ("done", 20)
        assert seen(bench.sightings()) == [("door", 100, 109, 10)]
    database.close()


def test_the_api_starts_lists_and_cancels(sqlite_bench: Bench) -> None:
    slug = sqlite_bench.enrol("Alice", ALICE)
    with api(backfill_routes(sqlite_bench.backfills())) as client:
        asked = {"person": slug, "since": "2026-01-01T01:00:00+01:00"}
        answer = client.post("/api/v1/backfills", json=asked)
        assert answer.status_code == 202
        started = answer.json()
        assert (started["person"], started["name"], started["state"]) == (slug, "Alice", "queued")
        assert datetime.fromisoformat(started["since"]) == START
        address = f"/api/v1/backfills/{started['id']}"
        assert client.get(address).json() == started
        assert client.get("/api/v1/backfills?limit=1").json() == {
            "backfills": [started],
            "next": None,
        }
        assert client.post(f"{address}/cancel").json()["state"] == "cancelled"

        refused = client.post("/api/v1/backfills", json=asked | {"person": "nobody"})
        assert (refused.status_code, refused.json()["reason"]) == (404, "no-such-person")
        assert client.post("/api/v1/backfills", json=asked | {"since": "now"}).status_code == 422
        missing = client.get(f"/api/v1/backfills/{'0' * 32}")
        assert (missing.status_code, missing.json()["reason"]) == (404, "no-such-backfill")


def test_an_actor_is_found_in_a_clip_that_was_seen_before_he_was_enrolled(
    sqlite_bench: Bench, test_data: Path, analyser: FaceAnalyser, enroller: Enroller
) -> None:
    models = ModelPack(
        name=analyser.pack_name,
        files=[
            ModelFile(role=file.role, name=file.name, sha256=file.sha256)
            for file in analyser.model_files
        ],
    )
    jpegs = clip_jpegs(test_data, most=125)
    for seq in range(85, 125, 4):
        jpeg = jpegs[seq]
        image = decode_jpeg(jpeg, max_bytes=10**7, max_pixels=10**7)
        ref = FrameRef(camera="stage", session="s", seq=seq, width=640, height=360, offset=seq)
        ref.captured_at.FromDatetime(START + timedelta(seconds=seq / 25))
        (faces,) = analyser.analyse([image])
        outputs = frame_outputs(
            ref, jpeg, faces, models, processed_topic="", detected_topic="", crop_quality=90
        )
        sqlite_bench.log([DetectedFace.FromString(out.value or b"") for out in outputs[1:]])
    portrait = test_data / "clip_hamilton" / "ref" / "lin_manuel_miranda.png"
    slug = sqlite_bench.store.add(MIRANDA, enroller.read(portrait.read_bytes())).person.slug

    done = sqlite_bench.run(slug)

    (found,) = sqlite_bench.sightings()
    assert found.frames == done.hits == 10
    assert found.best_similarity is not None
    assert found.best_similarity > 0.4
    crop = sqlite_bench.crops.get(found.crop)
    assert crop is not None
    assert jpeg_size(crop) == (112, 112)
