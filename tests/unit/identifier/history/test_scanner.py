"""How much of the time a backfill works."""

from __future__ import annotations

import pytest

from identifier.history.scanner import rest_s


@pytest.mark.parametrize(("duty", "share"), [(0.5, 0.5), (0.1, 0.1), (1.0, 1.0)])
def test_a_backfill_rests_so_that_it_works_a_share_of_the_time(duty: float, share: float) -> None:
    worked_s = 0.02
    assert worked_s / (worked_s + rest_s(worked_s, duty)) == pytest.approx(share)


def test_it_never_rests_longer_than_a_second() -> None:
    assert rest_s(10, 0.1) == 1
