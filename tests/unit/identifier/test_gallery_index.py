"""The gallery in memory: changed person by person it is what it would be, loaded anew."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from identifier.gallery.index import GalleryIndex, Loaded, References
from identifier.matcher import Embeddings, Person
from identifier.snapshot import Snapshot

SHA = "a" * 64
Gallery = dict[int, dict[str, float]]
"""Photos by person: id of the photo, and the angle that its embedding is at."""


def at(angle: float) -> NDArray[np.float32]:
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def loaded(gallery: Gallery, version: str, negatives: dict[int, float] | None = None) -> Loaded:
    """What the database would give of those people."""
    rows = [(who, id_, angle) for who, photos in gallery.items() for id_, angle in photos.items()]
    references = {}
    if rows:
        references[SHA] = References(
            np.array([row[0] for row in rows], np.int64),
            np.array([row[1].encode() for row in rows], "S32"),
            np.stack([at(row[2]) for row in rows]),
        )
    of = {who: angle for who, angle in (negatives or {}).items() if who in gallery}
    against: dict[str, tuple[NDArray[np.int64], Embeddings]] = {}
    if of:
        against[SHA] = (np.array(list(of), np.int64), np.stack([at(a) for a in of.values()]))
    people = {who: Person(f"p{who}", f"P{who}") for who in gallery}
    return Loaded(version, people, references, against)


def said(snapshot: Snapshot) -> list[tuple[str | None, str]]:
    """What the gallery says to faces all around."""
    if SHA not in snapshot.matrices:
        return []
    faces = np.stack([at(angle) for angle in np.linspace(0, 6.28, 90)])
    matches = snapshot.matrices[SHA].match(faces, range(len(faces)), 0.9)
    return [(m.person.slug if m.person else None, m.photo_id if m.person else "") for m in matches]


_GALLERIES = st.lists(
    st.dictionaries(
        st.integers(1, 6),
        st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 60), max_size=4),
        max_size=6,
    ),
    min_size=2,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(states=_GALLERIES)
def test_a_gallery_changed_step_by_step_is_the_one_loaded_anew(
    states: list[dict[int, dict[str, int]]],
) -> None:
    # The id of a photo is its owner's and its angle's: what a photo shows never changes.
    galleries: list[Gallery] = [
        {
            who: {f"{who}-{id_}-{angle}": angle / 10 for id_, angle in photos.items()}
            for who, photos in state.items()
        }
        for state in states
    ]
    index = GalleryIndex(loaded(galleries[0], "g-0", {1: 0.5}))
    before = [index.snapshot()]
    answers = [said(before[0])]
    for number, gallery in enumerate(galleries[1:], 1):
        last = galleries[number - 1]
        changed = {who for who in last.keys() | gallery if last.get(who) != gallery.get(who)}
        some = {who: photos for who, photos in gallery.items() if who in changed}
        index.apply(changed, loaded(some, f"g-{number}", {1: 0.5}))
        anew = GalleryIndex(loaded(gallery, f"g-{number}", {1: 0.5})).snapshot()
        now = index.snapshot()
        assert now.slugs == anew.slugs
        assert now.references == anew.references
        assert now.version == anew.version
        assert [who for who, _ in said(now)] == [who for who, _ in said(anew)]
        before.append(now)
        answers.append(said(now))
    assert [said(snapshot) for snapshot in before] == answers


def test_removing_many_gives_their_memory_back() -> None:
    everyone = {who: {f"{who}": who / 1000} for who in range(1, 4_001)}
    index = GalleryIndex(loaded(everyone, "g-0"))
    index.apply(set(range(1, 3_001)), loaded({}, "g-1"))
    assert index.snapshot().references == 1_000
    assert len(index._rows[SHA].owners) == 1_000
    assert said(index.snapshot()) == said(
        GalleryIndex(loaded({w: p for w, p in everyone.items() if w > 3_000}, "g-1")).snapshot()
    )


def test_a_renamed_person_and_a_new_threshold_are_seen_at_once_and_not_before() -> None:
    index = GalleryIndex(loaded({1: {"a": 0.0}}, "g-0"))
    before = index.snapshot()
    change = loaded({1: {"a": 0.0}}, "g-1")
    index.apply({1}, Loaded("g-1", {1: Person("p1", "Ann", 0.99)}, change.references, {}))
    (old,) = before.matrices[SHA].match(at(0.3)[None], [0], 0.9)
    (new,) = index.snapshot().matrices[SHA].match(at(0.3)[None], [0], 0.9)
    assert old.person is not None
    assert old.person.name == "P1"
    assert new.person is None
    assert new.threshold == np.float32(0.99)
