"""The main job: a clip with two enrolled people goes in, their names come out, exactly once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from services.cli.children import free_port
from services.kafka.lag import GroupLag
from services.records.processed import parse_processed
from tests.pipeline import (
    CLIP_FRAMES,
    LACAMOIRE,
    MIRANDA,
    Services,
    ToolSettings,
    hamilton_people,
    identified_frames,
    labelled_frames,
    read_all,
    reading,
    seqs_by_name,
    services,
)
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(400)


def assert_right_names(named: dict[str, set[int]], test_data: Path) -> None:
    """Miranda in all of his 149 frames and nowhere else, Lacamoire in his 20, nobody else."""
    miranda = labelled_frames(test_data, "lin_manuel_miranda")
    assert len(miranda) == 149
    assert set(named) <= {MIRANDA, LACAMOIRE}
    assert named[MIRANDA] == miranda
    assert named[LACAMOIRE] >= set(range(20))


def processed_seqs(bootstrap: str, topic: str) -> Counter[int]:
    """How often each frame is in frames.processed, as a read_committed reader sees it."""
    return Counter(parse_processed(m.value()).frame.seq for m in read_all(bootstrap, topic))


def wait_until_identified(run: Services, bootstrap: str) -> None:
    """Wait until the identifier has settled every processed frame."""
    settings = ToolSettings.load(env={"KAFKA_BOOTSTRAP_SERVERS": bootstrap})
    for group, topic in (
        ("facestream-worker", run.env["TOPIC_RAW"]),
        ("facestream-identifier", run.env["TOPIC_PROCESSED"]),
    ):
        with GroupLag(settings, group, topic) as lag:
            eventually(lag.is_drained, 120, f"{group} has read {topic}")


def start_clip(run: Services, test_data: Path, **env: str) -> None:
    run.start(
        "producer",
        SOURCES=f"stage={test_data / 'clip_hamilton' / 'clip.mp4'}",
        REALTIME="false",
        **env,
    )


@pytest.mark.kafka
@pytest.mark.parametrize("workers", [1, 3])
def test_every_frame_comes_out_once_in_order_with_the_right_names(
    workers: int, kafka: str, topic_prefix: str, test_data: Path, tmp_path: Path
) -> None:
    people = hamilton_people(test_data, tmp_path / "people")
    with services(kafka, topic_prefix, tmp_path / "run", PEOPLE_DIR=str(people)) as run:
        for slot in range(workers):
            run.start("worker", f"worker-{slot}")
        run.start("identifier")
        run.ready()
        start_clip(run, test_data)
        run.ended(run.children[-1])
        wait_until_identified(run, kafka)

    once = dict.fromkeys(range(CLIP_FRAMES), 1)
    assert processed_seqs(kafka, run.env["TOPIC_PROCESSED"]) == once
    frames = identified_frames(read_all(kafka, run.env["TOPIC_IDENTIFIED"]))
    assert [frame.frame.seq for frame in frames] == list(range(CLIP_FRAMES))
    assert not any(frame.late for frame in frames)
    assert_right_names(seqs_by_name(frames), test_data)
    shown = read_all(kafka, f"{run.env['TOPIC_PERSON_PREFIX']}lin-manuel-miranda")
    assert [f.frame.seq for f in identified_frames(shown)] == sorted(seqs_by_name(frames)[MIRANDA])


@pytest.mark.kafka
def test_a_worker_killed_midway_costs_no_frame_and_doubles_none(
    kafka: str, topic_prefix: str, test_data: Path, tmp_path: Path
) -> None:
    people = hamilton_people(test_data, tmp_path / "people")
    with services(kafka, topic_prefix, tmp_path / "run", PEOPLE_DIR=str(people)) as run:
        victim = run.start("worker", "worker-0")
        run.start("worker", "worker-1")
        run.start("identifier")
        run.ready()
        start_clip(run, test_data)
        producer = run.children[-1]
        with reading(kafka, run.env["TOPIC_PROCESSED"]) as reader:
            reader.until(40, timeout_s=60)
            run.kill(victim)
            run.start("worker", "worker-2")
            reader.until(CLIP_FRAMES, timeout_s=120)
        run.ended(producer)
        wait_until_identified(run, kafka)

    once = dict.fromkeys(range(CLIP_FRAMES), 1)
    assert processed_seqs(kafka, run.env["TOPIC_PROCESSED"]) == once
    frames = identified_frames(read_all(kafka, run.env["TOPIC_IDENTIFIED"]))
    assert [frame.frame.seq for frame in frames] == list(range(CLIP_FRAMES))
    assert_right_names(seqs_by_name(frames), test_data)


@pytest.mark.parametrize("broker_kind", [pytest.param("kafka", marks=pytest.mark.kafka), "memory"])
def test_up_shows_a_file_whole_on_an_embedded_broker_and_reports_it(
    broker_kind: str, test_data: Path, tmp_path: Path
) -> None:
    people = hamilton_people(test_data, tmp_path / "people")
    report_path, pictures = tmp_path / "report.json", tmp_path / "pictures"
    command = [sys.executable, "-m", "services.cli.main", "up"]
    command += ["--source", f"stage={test_data / 'clip_hamilton' / 'clip.mp4'}"]
    command += ["--people", str(people), "--exit-when-done", "--report", str(report_path)]
    command += ["--save", str(pictures)]
    env = {k: v for k, v in os.environ.items() if k != "KAFKA_BOOTSTRAP_SERVERS"}
    env |= {
        "EMBEDDED_BROKER": broker_kind,
        "THRESHOLD": "0.30",
        "REALTIME": "false",
        "DATA_DIR": str(tmp_path / "data"),
        "VIEWER_PORT": str(free_port()),
        "API_PORT": str(free_port()),
        "INGEST_PORT": str(free_port()),
    }
    ended = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = json.loads(report_path.read_text())
    assert report["broker"] == broker_kind
    assert report["model_pack"] == "buffalo_s"
    assert report["threshold"] == pytest.approx(0.30)
    stage = report["cameras"]["stage"]
    assert (stage["frames_in"], stage["frames_identified"]) == (CLIP_FRAMES, CLIP_FRAMES)
    assert (stage["dropped"], stage["dead_letters"]) == ({}, 0)
    named = {
        name: {seq for first, last in person["seqs"] for seq in range(first, last + 1)}
        for name, person in stage["people"].items()
    }
    assert_right_names(named, test_data)
    assert all(len(named[name]) == stage["people"][name]["frames"] for name in named)
    assert stage["end_to_end_ms"]["p50"] <= stage["end_to_end_ms"]["p95"]
    assert (pictures / "stage-lin-manuel-miranda.jpg").read_bytes()[:2] == b"\xff\xd8"
