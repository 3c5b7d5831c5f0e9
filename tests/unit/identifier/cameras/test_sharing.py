"""Who runs which camera."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from identifier.cameras.sharing import share_of

PRODUCERS = ("a", "b", "c", "d")
HOLDERS = st.dictionaries(
    st.sampled_from([f"c{number}" for number in range(9)]),
    st.sampled_from([None, *PRODUCERS]),
    max_size=9,
)


def reported(holders: dict[str, str | None], me: str, producers: list[str]) -> list[str]:
    """One report: who holds what is changed as the store does it."""
    mine = share_of(me, holders, producers, ())
    for name, holder in holders.items():
        if name in mine:
            holders[name] = me
        elif holder == me:
            holders[name] = None
    return mine


@given(HOLDERS, st.sets(st.sampled_from(PRODUCERS), min_size=1))
def test_however_it_begins_it_ends_even_and_then_nothing_moves(
    holders: dict[str, str | None], alive: set[str]
) -> None:
    producers = sorted(alive)
    holders = {name: holder if holder in alive else None for name, holder in holders.items()}
    for _ in range(4):
        for producer in producers:
            reported(holders, producer, producers)
    counts = Counter(holders.values())
    assert None not in counts
    shares = [counts[producer] for producer in producers]
    assert max(shares) - min(shares) <= 1
    before = dict(holders)
    for producer in producers:
        reported(holders, producer, producers)
    assert holders == before


@given(HOLDERS)
def test_nobody_takes_what_another_holds(holders: dict[str, str | None]) -> None:
    mine = share_of("a", holders, PRODUCERS, ())
    assert all(holders[name] in (None, "a") for name in mine)


def test_what_may_not_be_taken_yet_is_left() -> None:
    assert share_of("a", {"door": None, "yard": None}, ["a"], {"door"}) == ["yard"]


def test_what_one_runs_it_keeps() -> None:
    assert share_of("a", {"x": None, "y": "a"}, ["a", "b"], ()) == ["y"]
