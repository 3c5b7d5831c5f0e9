"""An identifier that dies anywhere counts nothing twice and makes no second sighting of a track."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest

from identifier.identify import Frame
from identifier.tracks.values import TrackState
from tests.processed import embedding
from tests.unit.identifier.tracks.cameras import Identities, Seen, frame, look

PEOPLE = {"Alice": embedding(0), "Bob": embedding(1)}
STEP_S = 0.1


@dataclass
class Memory:
    """Keeps the newest state of each track, as the database does, without the JPEGs."""

    states: dict[str, TrackState] = field(default_factory=dict)

    def write(self, identities: Identities) -> None:
        for state in identities.tracks.changes(everything=True):
            before = self.states.get(state.id)
            if before is None or state.last_seq >= before.last_seq:
                self.states[state.id] = replace(state, best=replace(state.best, jpeg=b""))


def scene(rng: random.Random) -> list[Frame]:
    """Two people with a name and two without come and go, sometimes missed, sometimes blurred."""
    stays = [(who, rng.randrange(0, 40), rng.randrange(50, 90)) for who in range(4)]
    return [
        frame(
            seq,
            [
                Seen(look(embedding(who), rng.choice([0.9, 0.9, 0.65]), 500 + 7 * who), 150 * who)
                for who, first, last in stays
                if first <= seq < last and rng.random() > 0.1
            ],
            at_s=seq * STEP_S,
        )
        for seq in range(120)
    ]


def run_through(frames: list[Frame]) -> Memory:
    identities, memory = Identities(PEOPLE), Memory()
    for one in frames:
        identities.push(one, step_s=STEP_S)
        memory.write(identities)
    identities.wait(20)
    memory.write(identities)
    return memory


def run_with_crashes(frames: list[Frame], rng: random.Random) -> tuple[Memory, set[int]]:
    """Every few frames the process dies; the next one starts at the committed frame."""
    memory, published, committed = Memory(), set(), 0
    while True:
        identities = Identities(PEOPLE, remembered={"door": list(memory.states.values())})
        done: set[int] = set()
        end = min(len(frames), committed + rng.randrange(5, 40))
        start = committed
        for one in frames[start:end]:
            done |= {named.item for named in identities.push(one, step_s=STEP_S)}
            if rng.random() < 0.3:
                memory.write(identities)
                committed = next(n for n in range(committed, end + 1) if n not in done)
        published |= done
        if end == len(frames):
            published |= {named.item for named in identities.wait(20)}
            memory.write(identities)
            return memory, published
        if rng.random() < 0.5:
            memory.write(identities)  # and then it died before it could commit


@pytest.mark.parametrize("seed", range(12))
def test_a_crash_anywhere_loses_no_frame_and_counts_none_twice(seed: int) -> None:
    rng = random.Random(seed)
    frames = scene(rng)
    expected = run_through(frames).states
    memory, published = run_with_crashes(frames, rng)
    assert published == set(range(len(frames)))
    assert len(memory.states) <= len(expected)
    for slug in ("alice", "bob"):
        there, whole = (
            sum(s.frames for s in states.values() if s.decision and s.decision.slug == slug)
            for states in (memory.states, expected)
        )
        assert whole - 4 <= there <= whole
    for state in memory.states.values():
        same = expected.get(state.id)
        if same is not None:
            assert (state.frames, state.last_seq) == (same.frames, same.last_seq)
            assert state.ended
