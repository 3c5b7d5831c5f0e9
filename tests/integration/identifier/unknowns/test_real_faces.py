"""Real faces of people nobody has named: one number each."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

from identifier.photos import read_photo
from identifier.unknowns.clusters import JOIN_ABOVE_MATCHING, Clusters, InMemory, Rule, assign
from services.models.analysis import FaceAnalyser

PEOPLE = (
    "Abdoulaye_Wade", "Abdullah", "Al_Sharpton", "Allyson_Felix",
    "Amelia_Vega", "Andy_Roddick", "Anna_Kournikova",
)  # fmt: skip


def test_strangers_on_real_photos_share_no_number_and_hardly_anyone_has_two(
    analyser: FaceAnalyser, test_data: Path
) -> None:
    clusters, keeper = Clusters(), InMemory()
    rule = Rule.joining_at(analyser.threshold + JOIN_ABOVE_MATCHING)
    found = []
    for shot in range(3):
        for who in PEOPLE:
            file = sorted((test_data / "lfw" / "images" / who).glob("*.jpg"))[shot]
            pixels = read_photo(file.read_bytes(), max_bytes=100_000, max_pixels=62_500).pixels
            (face,) = analyser.analyse_photo(pixels)
            found.append((who, assign(clusters, face.embedding, 1.0, rule, keeper)))
    numbers = [(who, keeper.now(number)) for who, number in found]
    pairs = list(combinations(numbers, 2))
    together = [one for one, other in pairs if one[1] == other[1] and one[0] != other[0]]
    apart = [one for one, other in pairs if one[1] != other[1] and one[0] == other[0]]
    assert together == []
    assert len(apart) <= 4  # of 21 pairs
