"""The memory's thread: everything is written and published before it says so."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
from confluent_kafka import Producer
from sqlalchemy import func, select, update
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.orm import Session

from identifier.gallery.tables import now
from identifier.memory.abandoned import end_abandoned
from identifier.memory.publishing import KafkaEvents
from identifier.memory.tables import EventRow, SightingRow
from identifier.memory.writing import SightingWriter, Written
from identifier.tracks.values import TrackState
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
    eventually(lambda: not bench.health.is_ready, 60, "the memory waits")
    assert not done.is_set()
    bench.out.away = False
    assert done.wait(20)
    assert types(bench) == ["unknown_enter", "unknown_exit"]
    eventually(lambda: bench.health.is_ready, 60, "the memory goes on")
    recorder.close(5)


class TiredWriter(SightingWriter):
    """Gets no connection from the pool the first time."""

    tries = 0

    def write(self, states: Sequence[TrackState]) -> Written:
        self.tries += 1
        if self.tries == 1:
            raise NoConnectionError("QueuePool limit reached")
        return super().write(states)


def test_a_database_whose_connections_all_hang_is_waited_for(bench: Bench) -> None:
    bench.writer = TiredWriter(
        bench.database, bench.media, bench.unknowns.assign, bench.unknowns.lock
    )
    recorder = bench.recorder()
    recorder.start()
    done = threading.Event()
    recorder.submit([seen("a")], done.set)
    assert done.wait(20)
    recorder.close(5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_memory_that_ended_is_not_ready(bench: Bench) -> None:
    recorder = bench.recorder()
    recorder.start()

    def fail() -> None:
        raise LookupError("a fault of ours")

    recorder.submit([], fail)
    eventually(lambda: not bench.health.is_ready, 60, "the memory says so")
    assert "LookupError" in str(bench.health.report())
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


def test_frames_that_are_read_again_do_not_push_out_what_waits(bench: Bench) -> None:
    recorder = bench.recorder()
    recorder.submit([seen("a", last_seq=50), seen("b", 2, ended=True)], lambda: None)
    recorder.submit([seen("a", last_seq=9), seen("b", 2)], lambda: None)
    recorder.start()
    recorder.close(20)
    found = [bench.sightings.get(seen(name).id) for name in "ab"]
    assert [each and (each.frames, each.ended) for each in found] == [(51, False), (10, True)]


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
    eventually(lambda: "unknown_exit" in types(bench), 60, "its end is told")
    recorder.close(5)
    with bench.database.reading() as session:
        open_ = session.scalars(select(SightingRow.id).where(SightingRow.ended.is_(False))).all()
    assert open_ == [seen("followed").id]


def test_an_abandoned_track_ends_in_turn_with_other_writers_of_events(bench: Bench) -> None:
    bench.write(seen("left"))
    events_at_lock: list[int | None] = []

    def lock(session: Session) -> None:
        bench.writer.lock(session)
        events_at_lock.append(session.scalar(select(func.count()).select_from(EventRow)))

    assert [event.type for event in end_abandoned(bench.database, -1, lock)] == ["unknown_exit"]
    assert events_at_lock == [1]


def test_events_whose_writer_ended_too_early_are_published_by_another(bench: Bench) -> None:
    at = now() - timedelta(minutes=5)
    bench.write(seen("a", at=at, ended=True))  # written, and then the process was gone
    recorder = bench.recorder()
    recorder.start()
    eventually(lambda: len(bench.out.payloads) == 2, 60, "both are published")
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
