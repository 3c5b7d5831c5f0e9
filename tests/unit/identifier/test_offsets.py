"""Offsets move only past records that are all dealt with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from identifier.offsets import OffsetLedger


def test_the_position_stays_before_the_first_open_record() -> None:
    ledger = OffsetLedger()
    tickets = [ledger.take(0, offset) for offset in (10, 11, 14)]
    ledger.done(tickets[1])
    assert ledger.positions() == {0: 10}
    assert ledger.news() == {}
    ledger.done(tickets[0])
    assert ledger.news() == {0: 14}
    ledger.done(tickets[2])
    assert ledger.news() == {0: 15}
    assert ledger.news() == {}


def test_a_ticket_of_an_earlier_ownership_counts_no_more() -> None:
    ledger = OffsetLedger()
    old = ledger.take(3, 10)
    ledger.drop(3)
    assert ledger.positions() == {}
    new = ledger.take(3, 10)
    ledger.done(old)
    assert ledger.positions() == {3: 10}
    assert not ledger.is_open(old)
    assert ledger.is_open(new)


@given(order=st.permutations(range(20)))
def test_whatever_the_order_the_position_is_the_lowest_open_offset(order: list[int]) -> None:
    ledger = OffsetLedger()
    tickets = [ledger.take(0, offset) for offset in range(20)]
    still_open = set(range(20))
    for offset in order:
        ledger.done(tickets[offset])
        still_open.discard(offset)
        assert ledger.positions() == {0: min(still_open, default=20)}
        assert ledger.open_records == len(still_open)
