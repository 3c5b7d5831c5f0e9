"""Ready when every part is, alive while the loop turns."""

from __future__ import annotations

from services.lifecycle.health import ALIVE_WITHIN_S, Health


def test_a_service_is_ready_once_every_part_is() -> None:
    health = Health("models", "partitions")
    seen = [health.is_ready]
    health.ready("models", ok=True, detail="buffalo_s")
    seen.append(health.is_ready)
    health.ready("partitions", ok=True)
    seen.append(health.is_ready)
    health.ready("partitions", ok=False, detail="put out of the group")
    seen.append(health.is_ready)
    assert seen == [False, False, True, False]


def test_a_part_may_turn_up_later() -> None:
    health = Health()
    seen = [health.is_ready]
    health.ready("database", ok=False, detail="refused")
    assert [*seen, health.is_ready] == [True, False]


def test_the_report_says_which_part_is_missing() -> None:
    health = Health("models", "database")
    health.ready("models", ok=True, detail="buffalo_s")
    assert health.report() == {
        "ready": False,
        "parts": {
            "models": {"ok": True, "detail": "buffalo_s"},
            "database": {"ok": False, "detail": "starting"},
        },
    }


def test_a_loop_that_has_not_begun_is_alive_and_one_that_hangs_is_not() -> None:
    now_s = 1_000.0
    health = Health(clock=lambda: now_s)
    seen = [health.is_alive]
    health.beat()
    now_s += ALIVE_WITHIN_S - 1
    seen.append(health.is_alive)
    now_s += 2
    seen.append(health.is_alive)
    health.beat()
    assert [*seen, health.is_alive] == [True, True, False, True]
