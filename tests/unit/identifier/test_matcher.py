"""A name only where it is clear: best reference, own threshold, once per frame, no ties."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from identifier.matcher import Negative, Person, Reference, ReferenceMatrix, ReferenceTable

Vector = NDArray[np.float32]
ALICE, BOB = Person("alice", "Alice"), Person("bob", "Bob")


def unit(*values: float) -> Vector:
    vector = np.array(values, np.float32)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def at_angle(cosine: float) -> Vector:
    """A vector whose cosine to the first axis is given, all else on the third."""
    return unit(cosine, 0, float(np.sqrt(1 - cosine**2)))


def reference(person: Person, embedding: Vector, photo_id: str = "photo") -> Reference:
    return Reference(photo_id, person, embedding)


X, Y = unit(1, 0, 0), unit(0, 1, 0)


def names(matrix: ReferenceMatrix, faces: list[Vector], frames: list[int]) -> list[str | None]:
    matches = matrix.match(np.stack(faces), frames, 0.4)
    return [match.person.name if match.person else None for match in matches]


def test_the_best_reference_of_a_person_counts_and_is_named() -> None:
    matrix = ReferenceMatrix(
        [reference(ALICE, Y, "far"), reference(ALICE, X, "near"), reference(BOB, -X, "other")]
    )
    (match,) = matrix.match(at_angle(0.9)[None], [0], 0.4)
    assert match.person == ALICE
    assert match.photo_id == "near"
    assert abs(match.similarity - 0.9) < 1e-5
    assert match.threshold == np.float32(0.4)


def test_below_the_threshold_nobody_is_named_and_the_best_reference_is_told() -> None:
    (match,) = ReferenceMatrix([reference(ALICE, X)]).match(at_angle(0.39)[None], [0], 0.4)
    assert match.person is None
    assert match.photo_id == "photo"
    assert abs(match.similarity - 0.39) < 1e-5


def test_a_persons_own_threshold_wins_over_the_default() -> None:
    strict = Person("alice", "Alice", threshold=0.8)
    lenient = Person("alice", "Alice", threshold=0.1)
    face = [at_angle(0.5)]
    assert names(ReferenceMatrix([reference(strict, X)]), face, [0]) == [None]
    assert names(ReferenceMatrix([reference(lenient, X)]), [at_angle(0.2)], [0]) == ["Alice"]


def test_a_person_is_in_a_frame_once_and_the_most_similar_face_gets_the_name() -> None:
    matrix = ReferenceMatrix([reference(ALICE, X)])
    faces = [at_angle(0.5), at_angle(0.9), at_angle(0.6)]
    assert names(matrix, faces, [0, 0, 0]) == [None, "Alice", None]
    assert names(matrix, faces, [0, 1, 2]) == ["Alice", "Alice", "Alice"]


def test_a_face_whose_best_person_is_taken_may_still_be_another() -> None:
    twin = unit(0.9, 0.1, 0)
    matrix = ReferenceMatrix([reference(ALICE, X), reference(BOB, twin)])
    assert names(matrix, [X, unit(0.97, 0.03, 0.2)], [0, 0]) == ["Alice", "Bob"]


def test_a_face_as_like_one_person_as_another_gets_no_name() -> None:
    matrix = ReferenceMatrix([reference(ALICE, X), reference(BOB, X)])
    assert names(matrix, [at_angle(0.9)], [0]) == [None]


def test_no_face_gives_no_match() -> None:
    empty = np.empty((0, 3), np.float32)
    assert ReferenceMatrix([reference(ALICE, X)]).match(empty, [], 0.4) == []


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    people=st.integers(1, 6),
    faces=st.integers(1, 12),
    frames=st.integers(1, 3),
)
def test_names_hold_the_rules_for_any_gallery(
    seed: int, people: int, faces: int, frames: int
) -> None:
    rng = np.random.default_rng(seed)

    def some(count: int) -> Vector:
        vectors = rng.normal(size=(count, 4)).astype(np.float32)
        lengths: Vector = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / lengths

    enrolled = [Person(f"p{n}", f"P{n}", None if n % 2 else 0.2 + 0.1 * n) for n in range(people)]
    references = [
        Reference(f"{person.slug}-{n}", person, vector)
        for person in enrolled
        for n, vector in enumerate(some(2))
    ]
    found, numbers = some(faces), [int(n) for n in rng.integers(0, frames, faces)]
    matches = ReferenceMatrix(references).match(found, numbers, 0.4)
    named = [(n, m.person.slug) for n, m in zip(numbers, matches, strict=True) if m.person]
    assert len(named) == len(set(named))
    for face, match in zip(found, matches, strict=True):
        by_id = {r.photo_id: r for r in references}
        assert abs(float(by_id[match.photo_id].embedding @ face) - match.similarity) < 1e-5
        if match.person:
            assert by_id[match.photo_id].person == match.person
            assert match.similarity >= match.threshold - 1e-6
            own = [float(r.embedding @ face) for r in references if r.person == match.person]
            assert abs(max(own) - match.similarity) < 1e-5


def test_a_face_as_like_a_negative_of_a_person_as_their_photos_is_not_them() -> None:
    face = at_angle(0.7)
    references = [reference(ALICE, X), reference(BOB, unit(0.6, 0.8, 0))]
    assert names(ReferenceMatrix(references), [face], [0]) == ["Alice"]
    nearer = ReferenceMatrix(references, [Negative(ALICE, at_angle(0.9))])
    (match,) = nearer.match(face[None], [0], 0.4)
    assert match.person == BOB
    assert match.photo_id == "photo"
    farther = ReferenceMatrix(references, [Negative(ALICE, at_angle(-0.5))])
    assert names(farther, [face], [0]) == ["Alice"]


def test_the_very_face_that_was_said_not_to_be_a_person_is_nobody() -> None:
    matrix = ReferenceMatrix([reference(ALICE, X)], [Negative(ALICE, X)])
    (match,) = matrix.match(X[None], [0], 0.4)
    assert match.person is None
    assert abs(match.similarity - 1) < 1e-5


def test_a_negative_of_somebody_without_photos_changes_nothing() -> None:
    matrix = ReferenceMatrix([reference(ALICE, X)], [Negative(BOB, X)])
    assert names(matrix, [X], [0]) == ["Alice"]


def test_somebody_else_who_looks_like_a_person_is_found() -> None:
    matrix = ReferenceMatrix([reference(ALICE, X, "hers"), reference(BOB, at_angle(0.6), "his")])
    like = matrix.most_like(X, 0.4, but_not="alice")
    assert like is not None
    assert (like.person, like.photo_id) == (BOB, "his")
    unlike = matrix.most_like(X, 0.7, but_not="alice")
    assert unlike is not None
    assert unlike.person is None
    assert ReferenceMatrix([reference(ALICE, X)]).most_like(X, 0.4, but_not="alice") is None


def test_a_removed_reference_is_never_the_best() -> None:
    table = ReferenceTable.of([reference(ALICE, X, "gone"), reference(BOB, at_angle(0.5), "his")])
    owners = table.owners.copy()
    owners[0] = -1
    matrix = ReferenceMatrix(dataclasses.replace(table, owners=owners))
    (match,) = matrix.match(X[None], [0], 0.4)
    assert (match.person, match.photo_id, len(matrix)) == (BOB, "his", 1)
    (nobody,) = matrix.match(X[None], [0], 0.9)
    assert (nobody.person, nobody.photo_id) == (None, "his")


def test_many_faces_against_many_references_are_each_found() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(5_000, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    references = [
        Reference(str(n), Person(f"p{n // 2}", ""), vector) for n, vector in enumerate(vectors)
    ]
    chosen = rng.permutation(5_000)[:150]
    matches = ReferenceMatrix(references).match(vectors[chosen], range(150), 0.99)
    assert [match.photo_id for match in matches] == [str(n) for n in chosen]
    assert [match.person and match.person.slug for match in matches] == [
        f"p{n // 2}" for n in chosen
    ]
