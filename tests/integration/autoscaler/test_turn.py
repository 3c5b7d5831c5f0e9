from __future__ import annotations

import pytest

from autoscaler.settings import AutoscalerSettings
from autoscaler.turn import KafkaTurn
from tests.waiting import eventually

pytestmark = pytest.mark.kafka


def test_one_of_two_acts_and_the_other_once_it_has_ended(settings: AutoscalerSettings) -> None:
    group = f"{settings.worker_group}.autoscaler"
    with KafkaTurn(settings, group, settings.topic_raw) as first:
        eventually(first.mine, 60, "the first acts")
        with KafkaTurn(settings, group, settings.topic_raw) as second:

            def settled() -> bool:
                both = (first.mine(), second.mine())
                assert both != (True, True)
                return second.holds and any(both)

            eventually(settled, 60, "both have partitions, one of them the first")
            keeps = first if first.mine() else second
            other = second if keeps is first else first
            assert not other.mine()
        eventually(first.mine, 60, "the first acts again")
