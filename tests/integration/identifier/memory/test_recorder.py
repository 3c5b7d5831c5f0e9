"""The memory's thread: everything is written and published before it says so."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from confluent_kafka import Producer
from sqlalchemy import select, update

from identifier.gallery.tables import now
from identifier.memory.publishing import KafkaEvents
from identifier.memory.tables import EventRow, SightingRow
from services.kafka.topics import ensure_topics
from tests.integration.identifier.memory.conftest import Bench
from tests.integration.identifier.memory.tracks import make_person, seen
from tests.integration.services.test_topics import settings_for
from tests.pipeline import read_all
from tests.waiting import eventually


def types(bench: Bench) -> list[str]:
    return [json.loads(payload)["type"] for payload in bench.out.payloads]


def test_done_is_said_when_rows_and_events_are_safe(bench: Bench) -> None:
    recorder = bench.recorder()
    recorder.start()
    done = threading.Event()
    recorder.submit([seen("a", ended=True)], done.set)
    assert done.wait(20)
    assert types(bench) == ["unknown_enter", "unknown_exit"]
    assert recorder.unknown_of(seen("a").id) == 1
    with bench.database.reading() as session:
        assert list(session.scalars(select(EventRow.published))) == [True, True]
    recorder.close(5)


def test_while_kafka_is_away_nothing_is_done_and_nothing_is_lost(bench: Bench) -> None:
    bench.out.away = True
    recorder = bench.recorder()
    recorder.start()
    done = threading.Event()
    recorder.submit([seen("a", ended=True)], done.set)
    eventually(lambda: not bench.health.is_ready, 20, "the memory waits")
    assert not done.is_set()
    bench.out.away = False
    assert done.wait(20)
    assert types(bench) == ["unknown_enter", "unknown_exit"]
    eventually(lambda: bench.health.is_ready, 20, "the memory goes on")
    recorder.close(5)


def test_what_waits_is_written_before_the_end(bench: Bench) -> None:
    recorder = bench.recorder()
    recorder.submit([seen(str(each), each) for each in range(30)], lambda: None)
    recorder.start()
    recorder.close(20)
    with bench.database.reading() as session:
        assert len(session.scalars(select(SightingRow.id)).all()) == 30


def test_of_a_track_only_the_newest_state_counts_and_the_best_face_stays(bench: Bench) -> None:
    recorder = bench.recorder()
    recorder.submit([seen("a", last_seq=5)], lambda: None)
    recorder.submit([seen("a", last_seq=8, jpeg=b"")], lambda: None)
    recorder.start()
    recorder.close(20)
    found = bench.sightings.get(seen("a").id)
    assert found is not None
    assert found.frames == 9
    assert found.crop


def test_a_camera_s_tracks_are_read_back_as_they_were(bench: Bench) -> None:
    make_person(bench.database, "alice")
    bench.write(
        seen("open", who="alice"),
        seen("over", 2, ended=True),
        seen("elsewhere", 3, camera="yard"),
        seen("long ago", 4, at=seen("open").first_at - timedelta(hours=1), ended=True),
    )
    found = {state.id: state for state in bench.recorder().remembered("door")}
    assert set(found) == {seen("open").id, seen("over").id}
    before, after = seen("open", who="alice"), found[seen("open").id]
    assert (after.decision, after.last_seq, after.box_px) == (
        before.decision,
        before.last_seq,
        before.box_px,
    )
    assert after.embedding.tolist() == before.embedding.tolist()
    assert after.models == before.models
    assert found[seen("over").id].unknown


def test_a_sighting_that_nobody_follows_any_more_ends(bench: Bench) -> None:
    bench.write(seen("left"), seen("followed", 2))
    with bench.database.writing() as session:
        session.execute(
            update(SightingRow)
            .where(SightingRow.id == seen("left").id)
            .values(updated_at=now() - timedelta(minutes=5))
        )
    recorder = bench.recorder()
    recorder.start()
    eventually(lambda: "unknown_exit" in types(bench), 20, "its end is told")
    recorder.close(5)
    with bench.database.reading() as session:
        open_ = session.scalars(select(SightingRow.id).where(SightingRow.ended.is_(False))).all()
    assert open_ == [seen("followed").id]


def test_events_whose_writer_ended_too_early_are_published_by_another(bench: Bench) -> None:
    at = now() - timedelta(minutes=5)
    bench.write(seen("a", at=at, ended=True))  # written, and then the process was gone
    recorder = bench.recorder()
    recorder.start()
    eventually(lambda: len(bench.out.payloads) == 2, 20, "both are published")
    recorder.close(5)
    assert types(bench) == ["unknown_enter", "unknown_exit"]


@pytest.mark.kafka
def test_events_are_records_of_their_topic(bench: Bench, kafka: str, topic_prefix: str) -> None:
    settings = settings_for(kafka, topic_prefix)
    ensure_topics(settings, [settings.topic_events])
    make_person(bench.database, "alice")
    written = bench.writer.write([seen("a", who="alice")])
    KafkaEvents(Producer({"bootstrap.servers": kafka}), settings.topic_events).publish(
        written.events
    )
    (record,) = read_all(kafka, settings.topic_events)
    assert record.key() == b"door"
    assert record.headers() == [("type", b"person_enter")]
    event = json.loads(record.value() or b"")
    assert event["person"] == {"slug": "alice", "name": "Alice"}
    assert (event["sighting"], event["unknown"], event["score"]) == (seen("a").id, None, 0.71)
    assert event["at"] == event["started_at"] == "2026-03-01T12:00:00Z"
