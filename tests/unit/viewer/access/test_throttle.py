from __future__ import annotations

import pytest

from viewer.access.throttle import FREE_TRIES, Throttle


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def waits(throttle: Throttle, clock: Clock, address: str, name: str, count: int) -> list[float]:
    """Fails again and again, each time as soon as it may; the waits in between."""
    waited: list[float] = []
    while len(waited) < count:
        wait_s = throttle.begin(address, name)
        if wait_s > 0:
            waited.append(wait_s)
            clock.now_s += wait_s
    return waited


def test_five_wrong_passwords_are_free_then_waits_double_up_to_a_quarter_of_an_hour(
    clock: Clock,
) -> None:
    throttle = Throttle(clock)
    assert [throttle.begin("1.2.3.4", "ann") for _ in range(FREE_TRIES)] == [0.0] * FREE_TRIES
    assert waits(throttle, clock, "1.2.3.4", "ann", 9) == [
        *(10, 20, 40, 80, 160, 320, 640),
        *(900, 900),
    ]


def test_a_name_is_protected_from_many_addresses_and_an_address_cannot_try_many_names(
    clock: Clock,
) -> None:
    throttle = Throttle(clock)
    for number in range(FREE_TRIES):
        throttle.begin(f"10.0.0.{number}", "Ann")
    assert throttle.begin("10.0.0.99", " ann ") > 0
    assert throttle.begin("10.0.0.99", "bob") == 0
    for number in range(FREE_TRIES):
        throttle.begin("10.0.1.1", f"name {number}")
    assert throttle.begin("10.0.1.1", "another") > 0


def test_however_many_guess_at_a_name_its_owner_waits_half_a_minute_at_most(
    clock: Clock,
) -> None:
    throttle = Throttle(clock)
    for number in range(200):
        clock.now_s += throttle.begin(f"10.0.{number}.1", "admin")
        assert throttle.begin(f"10.0.{number}.2", "admin") in (0.0, 10.0, 20.0, 30.0)
    assert throttle.begin("192.0.2.1", "admin") == 30


def test_where_a_name_logged_in_before_it_need_not_wait_for_those_who_guess_elsewhere(
    clock: Clock,
) -> None:
    throttle = Throttle(clock)
    throttle.begin("192.0.2.1", "admin")
    throttle.succeeded("192.0.2.1", "Admin")
    for number in range(50):
        throttle.begin(f"10.0.0.{number}", "admin")
    assert throttle.begin("10.0.0.99", "admin") > 0
    assert throttle.begin("192.0.2.1", "admin") == 0
    # Those who guess there themselves wait as anybody else does.
    while (wait_s := throttle.begin("192.0.2.1", "admin")) == 0:
        pass
    assert wait_s == 10


def test_addresses_of_one_ipv6_network_count_as_one(clock: Clock) -> None:
    throttle = Throttle(clock)
    for number in range(FREE_TRIES):
        throttle.begin(f"2001:db8::{number:x}", f"name {number}")
    assert throttle.begin("2001:db8::ffff", "x") > 0
    assert throttle.begin("2001:db8:0:1::1", "x") == 0


def test_the_right_password_is_no_failure(clock: Clock) -> None:
    throttle = Throttle(clock)
    for _ in range(3 * FREE_TRIES):
        assert throttle.begin("1.2.3.4", "ann") == 0
        throttle.succeeded("1.2.3.4", "ann")


def test_own_successes_do_not_pay_for_guesses_at_others(clock: Clock) -> None:
    throttle = Throttle(clock)
    tries = 0
    while throttle.begin("1.2.3.4", f"victim {tries}") == 0:
        tries += 1
        if throttle.begin("1.2.3.4", "me") == 0:
            throttle.succeeded("1.2.3.4", "me")
    assert tries == FREE_TRIES


def test_an_hour_without_failure_forgets(clock: Clock) -> None:
    throttle = Throttle(clock)
    for _ in range(FREE_TRIES):
        throttle.begin("1.2.3.4", "ann")
    clock.now_s += 3_601
    for _ in range(FREE_TRIES):
        assert throttle.begin("1.2.3.4", "ann") == 0
    assert throttle.begin("1.2.3.4", "ann") > 0


def test_what_is_kept_is_bounded(clock: Clock) -> None:
    throttle = Throttle(clock)
    for number in range(12_000):
        throttle.begin(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", f"name {number}")
        throttle.succeeded(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "ann")
    assert len(throttle._tries) <= 10_000
    assert len(throttle._at_home) <= 10_000
