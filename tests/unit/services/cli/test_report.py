"""Who was seen where: each frame counts once, and the numbers add up."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.cli.report import Delays, Sightings
from services.cli.textfiles import read_counts
from services.records.facestream_pb2 import IdentifiedFace, IdentifiedFrame

T0 = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def frame(seq: int, *names: str, camera: str = "door", session: str = "s1") -> IdentifiedFrame:
    identified = IdentifiedFrame()
    ref = identified.frame
    ref.camera, ref.session, ref.seq = camera, session, seq
    ref.captured_at.FromDatetime(T0 + timedelta(seconds=seq))
    identified.models.name = "buffalo_s"
    for name in names:
        face = IdentifiedFace(name=name, person=name.lower(), similarity=0.5, threshold=0.33)
        identified.faces.append(face)
    return identified


def test_a_frame_read_twice_counts_once() -> None:
    sightings = Sightings()
    assert sightings.add(frame(3, "Sam", ""), T0 + timedelta(seconds=4))
    assert not sightings.add(frame(3, "Sam", ""), T0 + timedelta(seconds=9))
    report = sightings.camera_report("door", 1, {}, 0)
    assert report["frames_identified"] == 1
    assert report["unknown_faces"] == 1
    assert report["people"]["Sam"]["frames"] == 1
    assert report["end_to_end_ms"] == {"p50": 1000.0, "p95": 1000.0}


def test_a_person_s_frames_become_intervals_with_first_last_and_best() -> None:
    sightings = Sightings()
    for seq in (7, 5, 6, 9):
        sightings.add(frame(seq, "Sam"), T0)
    sam = sightings.camera_report("door", 4, {"stale": 2}, 1)["people"]["Sam"]
    assert sam == {
        "frames": 4,
        "seqs": [[5, 7], [9, 9]],
        "first": "2026-01-31T12:00:05.000000Z",
        "last": "2026-01-31T12:00:09.000000Z",
        "best_score": 0.5,
    }


def test_the_same_number_in_another_session_is_another_frame() -> None:
    sightings = Sightings()
    sightings.add(frame(0, "Sam"), T0)
    sightings.add(frame(0, "Sam", session="s2"), T0)
    assert sightings.camera_report("door", 2, {}, 0)["people"]["Sam"]["frames"] == 2


def test_a_camera_that_showed_nothing_has_no_delay() -> None:
    report = Sightings().camera_report("yard", 0, {}, 0)
    assert report["end_to_end_ms"] == {"p50": None, "p95": None}


def test_delays_are_sampled_fairly_in_bounded_memory() -> None:
    delays = Delays(random.Random(1))
    for delay_ms in range(100_000):
        delays.add(float(delay_ms))
    assert delays.quantile_ms(0.5) == pytest.approx(50_000, rel=0.1)
    assert delays.quantile_ms(0.95) == pytest.approx(95_000, rel=0.05)


def test_counts_are_added_up_over_processes_and_only_a_producer_takes_frames(
    tmp_path: Path,
) -> None:
    published = 'facestream_frames_out_total{camera="door"} 10.0\n'
    head = "# TYPE facestream_frames_out counter\n"
    drops = (
        "# TYPE facestream_drops counter\n"
        'facestream_drops_total{camera="door",reason="producer-queue"} 2.0\n'
    )
    stale = (
        "# TYPE facestream_drops counter\n"
        'facestream_drops_total{camera="door",reason="stale"} 3.0\n'
    )
    letters = (
        "# TYPE facestream_dead_letters counter\n"
        'facestream_dead_letters_total{camera="door",reason="empty",topic="frames.raw"} 1.0\n'
    )
    (tmp_path / "producer-0.prom").write_text(head + published + drops)
    (tmp_path / "worker-0-0.prom").write_text(head + published + stale)
    (tmp_path / "worker-1-0.prom").write_text(stale + letters)
    counts = read_counts(tmp_path)
    assert counts.taken["door"] == 12
    assert counts.dropped["door"] == {"producer-queue": 2, "stale": 6}
    assert counts.dead_letters["door"] == 1
