"""Which unknown a face belongs to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identifier.unknowns.clusters import (
    JOIN_ABOVE_MATCHING,
    MAX_WEIGHT,
    MERGE_ABOVE_JOIN,
    Cluster,
    Clusters,
    InMemory,
    Rule,
    assign,
    strengthen,
    unknown_rules,
    weight_of,
)
from services.records.embeddings import Embedding

DIMENSIONS = 64
RULE = Rule.joining_at(0.4)


def unit(vector: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Embedding:
    found: Embedding = (vector / np.linalg.norm(vector)).astype(np.float32)
    return found


def person(seed: int) -> Embedding:
    return unit(np.random.default_rng(seed).normal(size=DIMENSIONS))


def face(of: int, seed: int, noise: float = 0.6) -> Embedding:
    """A face of a person: a cosine of about 1 / sqrt(1 + noise^2) to them."""
    rng = np.random.default_rng((of, seed))
    scatter = rng.normal(size=DIMENSIONS) * noise / np.sqrt(DIMENSIONS)
    return unit(person(of).astype(np.float64) + scatter)


def at_angle(similarity: float) -> tuple[Embedding, Embedding]:
    one, other = np.zeros(DIMENSIONS), np.zeros(DIMENSIONS)
    one[0] = 1
    other[:2] = similarity, np.sqrt(1 - similarity**2)
    return unit(one), unit(other)


def numbers_of(faces: list[Embedding], rule: Rule = RULE) -> list[int]:
    clusters, keeper = Clusters(), InMemory()
    given_numbers = [assign(clusters, one, 1.0, rule, keeper) for one in faces]
    return [keeper.now(number) for number in given_numbers]


def test_faces_of_one_person_get_one_number_and_strangers_another() -> None:
    faces = [face(of, seed) for seed in range(5) for of in range(8)]
    assert numbers_of(faces) == [1, 2, 3, 4, 5, 6, 7, 8] * 5


@pytest.mark.parametrize(("similarity", "numbers"), [(0.41, [1, 1]), (0.39, [1, 2])])
def test_the_threshold_decides_whether_a_face_is_somebody_new(
    similarity: float, numbers: list[int]
) -> None:
    assert numbers_of(list(at_angle(similarity))) == numbers


def test_unknowns_that_come_close_become_one_with_the_older_number() -> None:
    clusters, keeper = Clusters(), InMemory()
    left, right = at_angle(0.3)
    between = unit((left + right).astype(np.float64))
    assert [assign(clusters, one, 1.0, RULE, keeper) for one in (left, right)] == [1, 2]
    assert assign(clusters, between, 1.0, RULE, keeper) == 1
    assert keeper.merges == {2: 1}
    assert len(clusters) == 1
    assert clusters[1].centre @ between == pytest.approx(1, abs=1e-6)


def test_a_face_that_counts_little_moves_the_centre_little() -> None:
    left, right = at_angle(0.6)
    heavy = Cluster(left, 1.0).with_face(right, 1.0)
    light = Cluster(left, 1.0).with_face(right, weight_of(0.0))
    assert light.centre @ left > heavy.centre @ left
    assert weight_of(0.0) > 0
    assert weight_of(7.0) == 1


def test_a_centre_follows_a_face_over_the_years() -> None:
    young, old = at_angle(0.6)
    cluster = Cluster(young, 1.0)
    for _ in range(2_000):
        cluster = cluster.with_face(young, 1.0)
    assert cluster.weight == MAX_WEIGHT
    for _ in range(300):
        cluster = cluster.with_face(old, 1.0)
    assert cluster.centre @ old > 0.95


def test_opposite_faces_leave_the_centre_where_it_is() -> None:
    left, _ = at_angle(0.5)
    assert Cluster(left, 1.0).with_face(-left, 1.0).centre @ left == pytest.approx(1)


def test_of_equally_near_unknowns_the_older_is_chosen_whatever_their_order() -> None:
    one = person(1)
    for order in ([3, 9, 5], [9, 5, 3], [5, 3, 9]):
        clusters = Clusters()
        for number in order:
            clusters.put(number, Cluster(one, 1.0))
        assert clusters.near(one, 0.5) == [3, 5, 9]
        assert clusters.near(one, 0.5, {3}) == [5, 9]


def test_what_another_process_changed_is_noticed_before_a_face_is_given_to_it() -> None:
    class Elsewhere(InMemory):
        def freshen(self, clusters: Clusters, numbers: object) -> None:
            del numbers
            clusters.put(1, Cluster(person(2), 1.0))

    clusters = Clusters()
    clusters.put(1, Cluster(person(1), 1.0))
    keeper = Elsewhere()
    keeper.create(clusters[1])
    assert assign(clusters, face(1, 1, 0.3), 1.0, RULE, keeper) == 2


def test_the_rule_follows_the_pack_unless_it_is_set() -> None:
    matching = {"buffalo_s": 0.33, "opencv_zoo": 0.47}
    by_pack = unknown_rules(matching.__getitem__, None)
    assert by_pack("buffalo_s").join == pytest.approx(0.33 + JOIN_ABOVE_MATCHING)
    assert by_pack("opencv_zoo").join == pytest.approx(0.47 + JOIN_ABOVE_MATCHING)
    fixed = unknown_rules(matching.__getitem__, 0.5)("buffalo_s")
    assert fixed == Rule(0.5, 0.5 + MERGE_ABOVE_JOIN)


def test_the_repr_of_a_cluster_shows_no_embedding() -> None:
    assert "array" not in repr(Cluster(person(1), 2.0))


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=40),
    st.floats(0.1, 0.9),
)
@settings(max_examples=60, deadline=None)
def test_every_face_has_a_number_that_lives_and_the_same_faces_give_the_same_numbers(
    faces: list[tuple[int, int]], join: float
) -> None:
    clusters, keeper = Clusters(), InMemory()
    rule = Rule.joining_at(join)
    numbers = []
    for of, seed in faces:
        numbers.append(assign(clusters, face(of, seed, 1.5), 1.0, rule, keeper))
        assert numbers[-1] in clusters
    assert {keeper.now(number) for number in numbers} == {
        number for number in range(1, len(faces) + 1) if number in clusters
    }
    for number in {keeper.now(number) for number in numbers}:
        assert np.linalg.norm(clusters[number].centre) == pytest.approx(1, abs=1e-5)
        assert 0 < clusters[number].weight <= MAX_WEIGHT
    assert numbers_of([face(of, seed, 1.5) for of, seed in faces], rule) == [
        keeper.now(number) for number in numbers
    ]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 12), st.integers(0, 9)), max_size=200))
@settings(max_examples=60, deadline=None)
def test_clusters_hold_what_was_put_and_not_removed(
    steps: list[tuple[bool, int, int]],
) -> None:
    clusters, expected = Clusters(), dict[int, int]()
    for put, number, seed in steps:
        if put:
            clusters.put(number, Cluster(person(seed), 1.0 + seed))
            expected[number] = seed
        else:
            clusters.remove(number)
            expected.pop(number, None)
    assert len(clusters) == len(expected)
    for number, seed in expected.items():
        assert number in clusters
        assert clusters[number].weight == 1.0 + seed
        assert number in clusters.near(person(seed), 0.99)


def test_ten_thousand_unknowns_are_searched_and_each_finds_itself() -> None:
    rng = np.random.default_rng(1)
    everyone = rng.normal(size=(10_000, 128))
    everyone /= np.linalg.norm(everyone, axis=1, keepdims=True)
    clusters, keeper = Clusters(), InMemory()
    for number, centre in enumerate(everyone.astype(np.float32), 1):
        clusters.put(number, Cluster(centre, 1.0))
    for number in (1, 4_999, 10_000):
        embedding = everyone[number - 1].astype(np.float32)
        assert clusters.near(embedding, 0.9) == [number]
        assert strengthen(clusters, number, embedding, 1.0, Rule(0.9, 0.95), keeper) == number
