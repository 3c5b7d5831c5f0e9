"""Hits become runs: by camera and session, one hit per frame, parted by gaps."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from identifier.history.hits import Hit
from identifier.history.runs import Run, Runs, split
from services.records.facestream_pb2 import ModelPack
from services.records.frames import FrameMeta
from tests.processed import START, embedding


def hit(
    at_s: float,
    *,
    camera: str = "door",
    offset: int | None = None,
    similarity: float = 0.8,
    index: int = 0,
    logged_s: float | None = None,
) -> Hit:
    seq = round(at_s * 1000)
    return Hit(
        partition=0,
        offset=seq if offset is None else offset,
        logged_ms=round((at_s if logged_s is None else logged_s) * 1000),
        frame=FrameMeta(camera, "s", seq, START + timedelta(seconds=at_s), 64, 48, "live:file"),
        raw=("frames.raw", 0, seq),
        index=index,
        box_px=(1, 2, 20, 20),
        score=0.9,
        quality=0.5,
        embedding=embedding(1),
        crop=b"crop",
        models=ModelPack(name="buffalo_s"),
        recogniser_sha256="5" * 64,
        similarity=similarity,
        threshold=0.33,
        reference="photo",
        gallery_version="g-1",
    )


def times(runs: list[Run]) -> list[list[float]]:
    return [[(found.at - START).total_seconds() for found in run.hits] for run in runs]


def test_hits_closer_than_the_gap_are_one_run_and_wider_ones_two() -> None:
    runs = Runs(gap_s=2)
    runs.add([hit(0), hit(2), hit(4.5), hit(5)])
    assert times(runs.rest()) == [[0, 2], [4.5, 5]]


def test_frames_that_come_out_of_order_make_the_same_run() -> None:
    runs = Runs(gap_s=2)
    runs.add([hit(4), hit(0), hit(2)])
    assert times(runs.rest()) == [[0, 2, 4]]


def test_cameras_do_not_mix() -> None:
    runs = Runs(gap_s=2)
    runs.add([hit(0), hit(0.5, camera="yard"), hit(1)])
    assert [run.camera for run in runs.rest()] == ["door", "yard"]


def test_of_two_hits_in_one_frame_the_more_similar_one_stays() -> None:
    runs = Runs(gap_s=2)
    runs.add([hit(0, similarity=0.5), hit(0, similarity=0.7, index=1, offset=1)])
    (run,) = runs.rest()
    assert [found.similarity for found in run.hits] == [0.7]


def test_a_run_is_whole_only_when_the_log_is_well_past_it() -> None:
    runs = Runs(gap_s=2)
    runs.add([hit(0), hit(1)])
    runs.passed(0, 20_000)
    assert runs.whole() == []
    assert runs.held_from(0) == 0
    runs.passed(0, 32_000)
    assert times(runs.whole()) == [[0, 1]]
    assert runs.held_from(0) is None


def test_a_long_run_is_handed_out_in_pieces_that_keep_its_last_seconds_back() -> None:
    runs = Runs(gap_s=2)
    runs.add([hit(at / 25) for at in range(1000)])
    runs.passed(0, 40_000)
    (piece,) = runs.whole()
    assert piece.last_at - START == timedelta(seconds=999 / 25 - 5)
    assert runs.held_from(0) == round((len(piece.hits)) / 25 * 1000)
    (rest,) = runs.rest()
    assert len(piece.hits) + len(rest.hits) == 1000


@given(st.lists(st.integers(0, 600), unique=True), st.randoms())
def test_order_of_arrival_never_matters(tenths: list[int], random: Random) -> None:
    hits = [hit(at / 10) for at in tenths]
    shuffled = list(hits)
    random.shuffle(shuffled)
    gap = timedelta(seconds=2)
    assert split(hits, gap) == split(shuffled, gap)
    assert sorted(found.at for part in split(hits, gap) for found in part) == sorted(
        found.at for found in hits
    )
