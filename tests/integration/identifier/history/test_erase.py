"""Erasing a person leaves nothing of them, and says what forgets by itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import MetaData, select, text
from structlog.testing import capture_logs

from identifier.api.erase import erase_routes
from identifier.gallery.tables import PersonRow
from identifier.history.erase import Erasure
from identifier.history.erase_topics import Topics
from identifier.memory.media import Media
from identifier.memory.tables import EventRow, NegativeRow, SightingRow, UnknownRow
from services.kafka.topics import ensure_topics, person_topic
from services.lifecycle.stopping import StopSignal
from services.records.embeddings import to_bytes
from tests.integration.identifier.history.bench import (
    ALICE,
    BOB,
    Bench,
    api,
    detected,
    photo,
    row,
)
from tests.pipeline import ToolSettings, topic_env
from tests.processed import RECOGNISER, START
from tests.waiting import eventually

pytestmark = pytest.mark.kafka

NAME, SLUG = "Alice Zyxwvut", "alice-zyxwvut"


def erasure(bench: Bench, **changes: object) -> Erasure:
    return Erasure(
        bench.database,
        bench.crops,
        bench.settings,
        **{"topic_events": f"{bench.settings.topic_raw}.events", "settle_s": 0.0, **changes},  # type: ignore[arg-type]
    )


def post(made: Erasure, slug: str) -> httpx.Response:
    with api(erase_routes(made)) as client:
        return client.post(f"/api/v1/people/{slug}/erase")


def live_their_lives(bench: Bench) -> None:
    """Alice in every table there is, and Bob beside her."""
    bench.log(*[detected(seq, ALICE, BOB) for seq in range(10)])
    bench.log(*[detected(seq, BOB, camera="yard") for seq in range(10)])
    slug = bench.enrol(NAME, ALICE)
    assert slug == SLUG
    bench.enrol("Bob", BOB)
    bench.run(slug)
    bench.run("bob")
    with bench.database.writing() as session:
        alice = session.query(PersonRow).filter_by(slug=SLUG).one()
        bob = session.query(PersonRow).filter_by(slug="bob").one()
        unknowns = [
            UnknownRow(
                recogniser_sha256=RECOGNISER,
                embedding=to_bytes(face),
                weight=1.0,
                person_id=person,
                first_at=START,
                last_at=START,
            )
            for face, person in ((ALICE, alice.id), (ALICE, None), (BOB, None))
        ]
        session.add_all(unknowns)
        session.flush()
        unknowns[1].merged_into = unknowns[0].id
        numbers = [unknown.id for unknown in unknowns]
        session.add(row("1" * 32, ALICE, 100, 120, unknown_id=numbers[1], crop=_crop(bench)))
        session.add(
            row("2" * 32, BOB, 100, 120, unknown_id=numbers[0], person_id=bob.id, camera="yard")
        )
        session.add(row("3" * 32, BOB, 100, 120, unknown_id=numbers[2], camera="gate"))
        session.add_all(
            _negative(person.id, sighting, face)
            for person, sighting, face in ((alice, "3" * 32, BOB), (bob, "1" * 32, ALICE))
        )
        for at, (person, sighting) in enumerate(((alice.id, "4" * 32), (bob.id, "2" * 32))):
            session.add(_event(at, person, sighting))
        session.add(_event(2, None, "2" * 32, {"person": {"slug": SLUG, "name": NAME}}))
    topic = person_topic(bench.settings, SLUG)
    ensure_topics(bench.settings, [topic, person_topic(bench.settings, "bob")])


def _id(bench: Bench, slug: str) -> int:
    with bench.database.reading() as session:
        return session.query(PersonRow).filter_by(slug=slug).one().id


def _crop(bench: Bench) -> str:
    return bench.crops.put(None, b"\xff\xd8 a face of Alice")


def _negative(person_id: int, sighting: str, face: object) -> NegativeRow:
    return NegativeRow(
        person_id=person_id,
        sighting_id=sighting,
        recogniser_sha256=RECOGNISER,
        embedding=to_bytes(face),  # type: ignore[arg-type]
    )


def _event(at: int, person: int | None, sighting: str, payload: object = None) -> EventRow:
    return EventRow(
        key=f"{at:032x}",
        type="person_enter",
        camera="door",
        sighting_id=sighting,
        person_id=person,
        at=START,
        payload=json.dumps(payload or {}),
    )


def traces(bench: Bench) -> list[str]:
    """Every cell of every table, and every crop, that says something of Alice."""
    secrets = [NAME.encode(), SLUG.encode(), to_bytes(ALICE), photo(NAME, ALICE).data]
    secrets += [photo(NAME, ALICE).sha256.encode(), NAME.casefold().encode()]
    found = []
    tables = MetaData()
    tables.reflect(bench.database.engine)
    with bench.database.reading() as session:
        for table in tables.sorted_tables:
            for cells in session.execute(select(table)):
                for cell in cells:
                    data = cell if isinstance(cell, bytes) else str(cell).encode()
                    if any(secret in data for secret in secrets):
                        found.append(f"{table.name}: {str(cell)[:40]}")
    found += [
        f"crop {key}" for key in bench.crop_keys() if b"Alice" in (bench.crops.get(key) or b"")
    ]
    database = bench.database.engine.url.database
    if bench.database.engine.dialect.name == "sqlite" and database is not None:
        for file in Path(database).parent.iterdir():
            data = file.read_bytes()
            found += [f"{file.name}" for secret in secrets if secret in data]
    return found


def test_erasing_leaves_nothing_and_proves_it(bench: Bench) -> None:
    live_their_lives(bench)
    assert traces(bench)
    his = {found.crop for found in bench.sightings() if found.person_id == _id(bench, "bob")} - {""}

    with capture_logs() as logs:
        answer = post(erasure(bench, sinks=["the webhook of example.org"]), SLUG)

    assert answer.status_code == 200
    proof = answer.json()
    assert (proof["verified"], proof["remaining"]) == (True, [])
    assert proof["removed"] == {
        "people": 1,
        "photos": 1,
        "photo_files": 1,
        "embeddings": 1,
        "sightings": 2,
        "events": 2,
        "negatives": 2,
        "backfills": 1,
        "unknowns": 2,
        "crops": 2,
        "topics": 1,
    }
    assert traces(bench) == []
    assert bench.crop_keys() == his
    assert Topics(bench.settings).left([person_topic(bench.settings, SLUG)]) == []
    assert "the webhook of example.org" in " ".join(proof["not_removed"])
    assert "lice" not in repr(logs)

    bob = bench.store.person("bob")
    assert bob is not None
    assert len(bob.photos) == 1
    assert [found.id[0] for found in bench.sightings() if found.person_id is None] == ["3"]
    assert len([found for found in bench.sightings() if found.person_id is not None]) == 3
    assert Topics(bench.settings).left([person_topic(bench.settings, "bob")])


def test_what_topics_keep_is_named_with_the_time_it_expires(bench: Bench) -> None:
    bench.enrol(NAME, ALICE)
    proof = erasure(bench).erase(SLUG)
    assert proof is not None
    kept = {topic.topic: topic for topic in proof.kept}
    assert set(kept) == {bench.settings.topic_raw, bench.settings.topic_detected}
    faces = kept[bench.settings.topic_detected]
    assert faces.retention_ms == 87_600 * 3_600_000
    assert faces.expires_at is not None
    assert faces.expires_at > datetime.now(UTC) + timedelta(hours=87_600)


class FailingCrops(Media):
    """Storage that is away."""

    def delete_many(self, keys: Iterable[str]) -> None:
        raise OSError(f"{len(list(keys))} crops are away")


def test_an_erasure_that_was_interrupted_is_finished_by_the_next_one(bench: Bench) -> None:
    live_their_lives(bench)
    broken = erasure(bench)
    broken._crops = FailingCrops(str(bench.crops_dir))
    answer = post(broken, SLUG)
    assert (answer.status_code, answer.json()["reason"]) == (503, "erasing-unfinished")
    assert bench.store.snapshot().references == 1, "she is not recognised any more"
    assert traces(bench), "but not everything is removed"

    proof = erasure(bench).erase(SLUG)
    assert proof is not None
    assert proof.verified
    assert traces(bench) == []


def test_nobody_is_erased_who_is_not_there(sqlite_bench: Bench) -> None:
    answer = post(erasure(sqlite_bench), "nobody")
    assert (answer.status_code, answer.json()["reason"]) == (404, "no-such-person")


def test_a_broker_that_cannot_delete_topics_is_named_in_the_proof(
    memory_broker: str, sqlite_bench: Bench, topic_prefix: str
) -> None:
    settings = ToolSettings.load(
        env=topic_env(topic_prefix) | {"KAFKA_BOOTSTRAP_SERVERS": memory_broker}
    )
    ensure_topics(settings, [person_topic(settings, SLUG)])
    sqlite_bench.enrol(NAME, ALICE)
    sqlite_bench.settings = settings
    proof = erasure(sqlite_bench).erase(SLUG)
    assert proof is not None
    (kept,) = [one for one in proof.kept if one.topic == person_topic(settings, SLUG)]
    assert "cannot delete topics" in kept.holds
    assert kept.expires_at is None
    assert proof.removed["topics"] == 0
    assert proof.verified
    assert sqlite_bench.store.person(SLUG) is None


def test_an_erasure_that_loses_against_who_writes_down_what_is_seen_is_done_again(
    postgres_bench: Bench,
) -> None:
    database = postgres_bench.database
    live_their_lives(postgres_bench)

    def is_waiting() -> bool:
        query = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with database.reading() as session:
            return bool(session.scalar(text(query)) == 1)

    with ThreadPoolExecutor(1) as pool, capture_logs() as said, database.writing() as memory:
        # Of two that wait for each other, the first to notice ends its own transaction.
        memory.execute(text("SET LOCAL deadlock_timeout = '60s'"))
        (person,) = memory.scalars(select(PersonRow.id).where(PersonRow.slug == SLUG))
        theirs = select(SightingRow.id).where(SightingRow.person_id == person)
        assert memory.execute(theirs.with_for_update()).all()
        erasing = pool.submit(erasure(postgres_bench).erase, SLUG)
        eventually(is_waiting, what="the erasure waits for the sightings")
        still = select(PersonRow.id).where(PersonRow.id == person)
        assert memory.execute(still.with_for_update(read=True, key_share=True)).all()
        memory.commit()
        proof = erasing.result(60)
    assert any("once more" in line["event"] for line in said)
    assert proof is not None
    assert proof.verified
    assert traces(postgres_bench) == []


def test_a_person_who_is_erased_while_they_are_looked_for_does_not_come_back(
    sqlite_bench: Bench,
) -> None:
    for at in range(0, 2000, 400):
        sqlite_bench.log(*[detected(seq, ALICE, BOB) for seq in range(at, at + 30)])
    slug = sqlite_bench.enrol(NAME, ALICE)
    stop = StopSignal()
    found_before: list[int] = []

    def erased_meanwhile() -> bool:
        if sqlite_bench.sightings() and not found_before:
            found_before.append(len(sqlite_bench.sightings()))
            proof = erasure(sqlite_bench).erase(slug)
            assert proof is not None
            assert proof.verified
        return False

    backfills = sqlite_bench.backfills(
        erased_meanwhile, sqlite_bench.config(batch_faces=40, checkpoint_s=0)
    )
    assert backfills.start(slug, START) is not None
    watch = threading.Thread(target=lambda: backfills.run(stop))
    watch.start()
    eventually(lambda: backfills.listed(1) == [], what="the backfill is gone")
    stop.stop()
    watch.join(60)
    assert found_before
    assert traces(sqlite_bench) == []
    assert sqlite_bench.sightings() == []
    assert sqlite_bench.crop_keys() == set()
