"""One row per track, however often and in whatever pieces it is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from identifier.memory.tables import EventRow, SightingRow
from services.records.jpeg import encode_jpeg
from tests.integration.identifier.memory.conftest import Bench
from tests.integration.identifier.memory.tracks import make_person, seen
from tests.integration.identifier.unknowns.strangers import NOON


def rows(bench: Bench) -> list[SightingRow]:
    with bench.database.reading() as session:
        return list(session.scalars(select(SightingRow).order_by(SightingRow.started_at)))


def crops(bench: Bench) -> int:
    return len(list(bench.folder.rglob("*.jpg")))


def test_a_known_person_enters_once_and_leaves_once(bench: Bench) -> None:
    make_person(bench.database, "alice")
    track = seen("a", who="alice")
    assert bench.write(track) == ["person_enter"]
    assert bench.write(replace(track, last_seq=20)) == []
    ended = replace(track, last_seq=30, ended=True)
    assert bench.write(ended) == ["person_exit"]
    assert bench.write(ended) == []
    (row,) = rows(bench)
    assert (row.last_seq, row.ended, row.unknown_id) == (30, True, None)
    assert (row.best_similarity, row.threshold, row.gallery_version) == (0.71, 0.33, "gallery-1")


def test_somebody_unknown_gets_a_number_and_keeps_it(bench: Bench) -> None:
    assert bench.write(seen("a", of=1), seen("b", of=2)) == ["unknown_enter"] * 2
    later = seen("c", of=1, camera="yard", at=NOON + timedelta(days=3), ended=True)
    assert bench.write(later) == ["unknown_enter", "unknown_exit"]
    numbers = {row.id: row.unknown_id for row in rows(bench)}
    assert numbers[later.id] == numbers[seen("a").id] != numbers[seen("b").id]
    assert set(numbers.values()) == {1, 2}


def test_a_correction_moves_the_row_and_says_who_went_and_who_came(bench: Bench) -> None:
    make_person(bench.database, "alice")
    make_person(bench.database, "bob")
    assert bench.write(seen("a", who="alice")) == ["person_enter"]
    assert bench.write(seen("a", who="bob", last_seq=12)) == ["person_exit", "person_enter"]
    assert bench.write(seen("a", who="bob", last_seq=20, ended=True)) == ["person_exit"]
    assert [row.reference for row in rows(bench)] == ["f" * 32]


def test_a_state_older_than_its_row_changes_nothing(bench: Bench) -> None:
    make_person(bench.database, "alice")
    bench.write(seen("a", who="alice", last_seq=50, quality=0.5))
    (first,) = rows(bench)
    picture = bench.media.get(first.crop)
    other = encode_jpeg(np.full((480, 640, 3), 10, np.uint8), 90)
    assert bench.write(seen("a", last_seq=9, quality=0.9, jpeg=other)) == []
    (row,) = rows(bench)
    assert (row.last_seq, row.person_id is not None, row.quality) == (50, True, 0.5)
    assert (row.crop, bench.media.get(row.crop), crops(bench)) == (first.crop, picture, 1)


def test_a_track_that_is_not_confirmed_is_not_remembered(bench: Bench) -> None:
    assert bench.write(replace(seen("a"), confirmed=False)) == []
    assert rows(bench) == []
    assert crops(bench) == 0


def test_the_crop_is_cut_anew_only_for_a_better_face(bench: Bench) -> None:
    bench.write(seen("a", quality=0.5))
    (first,) = rows(bench)
    assert first.crop
    bench.write(seen("a", quality=0.4, last_seq=11))
    bench.write(seen("a", quality=0.9, last_seq=12))
    (row,) = rows(bench)
    assert (row.crop, row.quality) == (first.crop, 0.9)
    assert crops(bench) == 1
    assert bench.media.get(row.crop) is not None


def test_a_face_cut_from_a_frame_that_does_not_decode_is_left_out(bench: Bench) -> None:
    assert bench.write(seen("a", jpeg=b"\xff\xd8 rubbish")) == ["unknown_enter"]
    assert [row.crop for row in rows(bench)] == [""]


def test_somebody_erased_meanwhile_is_unknown(bench: Bench) -> None:
    assert bench.write(seen("a", who="gone")) == ["unknown_enter"]
    (row,) = rows(bench)
    assert (row.person_id, row.unknown_id, row.best_similarity) == (None, 1, None)


def test_what_a_user_denied_does_not_come_back(bench: Bench) -> None:
    make_person(bench.database, "alice")
    bench.write(seen("a", who="alice"))
    bench.unknowns.not_this_person(seen("a").id)
    bench.write(seen("a", who="alice", last_seq=40, ended=True))
    (row,) = rows(bench)
    assert (row.person_id, row.unknown_id, row.last_seq) == (None, 1, 40)


def test_an_ignored_stranger_makes_no_events(bench: Bench) -> None:
    bench.write(seen("a", ended=True))
    bench.unknowns.ignore(1, True)
    assert bench.write(seen("b", at=NOON + timedelta(hours=1), ended=True)) == []
    assert [row.unknown_id for row in rows(bench)] == [1, 1]


def test_a_track_that_ended_without_another_frame_is_not_opened_again(bench: Bench) -> None:
    make_person(bench.database, "alice")
    there = seen("a", who="alice", last_seq=50)
    gone = replace(there, ended=True)
    assert bench.write(there) + bench.write(gone) == ["person_enter", "person_exit"]
    assert bench.write(there) + bench.write(gone) == []
    assert [row.ended for row in rows(bench)] == [True]


def test_a_track_that_goes_on_after_its_end_is_open_again(bench: Bench) -> None:
    gone = seen("a", last_seq=50, ended=True)
    assert bench.write(gone) == ["unknown_enter", "unknown_exit"]
    assert bench.write(seen("a", last_seq=51)) == ["unknown_enter"]
    assert [row.ended for row in rows(bench)] == [False]


def test_what_no_database_takes_is_left_out_of_a_text(bench: Bench) -> None:
    assert bench.write(replace(seen("a"), session="a\0b")) == ["unknown_enter"]
    assert [row.session for row in rows(bench)] == ["ab"]


@pytest.mark.parametrize("pieces", [1, 2, 3, 6])
def test_the_same_states_in_any_pieces_come_to_the_same(bench: Bench, pieces: int) -> None:
    make_person(bench.database, "alice")
    states = [
        seen("a", 1, who="alice"),
        seen("b", 2, at=NOON + timedelta(seconds=1)),
        seen("a", 1, who="alice", last_seq=30, ended=True),
        seen("b", 2, at=NOON + timedelta(seconds=1), last_seq=40),
        seen("b", 2, at=NOON + timedelta(seconds=1), last_seq=50),
        seen("b", 2, at=NOON + timedelta(seconds=1), last_seq=50, ended=True),
    ]
    for _ in range(2):  # everything is read again after a crash
        for at in range(0, len(states), pieces):
            newest = {state.id: state for state in states[at : at + pieces]}
            bench.write(*newest.values())
    assert [(row.last_seq, row.ended, row.unknown_id) for row in rows(bench)] == [
        (30, True, None),
        (50, True, 1),
    ]
    with bench.database.reading() as session:
        told = session.scalars(select(EventRow.type).order_by(EventRow.id)).all()
    assert sorted(told) == ["person_enter", "person_exit", "unknown_enter", "unknown_exit"]


def test_somebody_erased_while_in_view_is_not_written_again(bench: Bench) -> None:
    bench.write(seen("a"), seen("b", 2))
    bench.unknowns.delete(1)
    (left,) = rows(bench)
    gone = seen("a") if left.id == seen("b", 2).id else seen("b", 2)
    assert bench.write(replace(gone, last_seq=40, ended=True)) == []
    assert [row.id for row in rows(bench)] == [left.id]
    assert crops(bench) == 1
