"""What API tokens cost that nobody knows, and that those which hold do not suffer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from viewer.access.apitokens import FREE_STRANGERS, ApiTokens, TooManyStrangers
from viewer.access.logins import ApiToken
from viewer.identifier import IdentifierAway

GOOD = "fst_" + "g" * 43
HOLDS = ApiToken("dashboard", frozenset({"read"}))


class Desk:
    """Stands where the identifier is: knows one token, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False
        self.now_s = 0.0

    def ask(self, text: str) -> ApiToken | None:
        self.asked.append(text)
        if self.away:
            raise IdentifierAway("it is away")
        return HOLDS if text == GOOD else None

    def run(self, scene: Callable[[ApiTokens], Awaitable[None]]) -> None:
        async def play() -> None:
            with ThreadPoolExecutor(2) as threads:
                clock = self.clock
                await scene(ApiTokens(self.ask, threads, keep_s=2, grace_s=300, clock=clock))

        asyncio.run(play())

    def clock(self) -> float:
        return self.now_s


@pytest.fixture
def desk() -> Desk:
    return Desk()


def junk(number: int) -> str:
    return f"fst_{number:043}"


@pytest.mark.parametrize("text", ["", "fst_", "x", "the API_TOKEN", "fst_ä", "fst_" + "x" * 200])
def test_what_does_not_look_like_a_token_is_not_asked_about(desk: Desk, text: str) -> None:
    async def scene(tokens: ApiTokens) -> None:
        assert await tokens.get(text, "192.0.2.1") is None

    desk.run(scene)
    assert desk.asked == []


def test_a_flood_of_junk_does_not_push_out_the_token_that_holds(desk: Desk) -> None:
    async def scene(tokens: ApiTokens) -> None:
        assert await tokens.get(GOOD, "192.0.2.1") == HOLDS
        for number in range(3_000):
            sender = f"10.0.{number >> 8}.{number & 255}"
            assert await tokens.get(junk(number), sender) is None
        # It is known of before, and so it is let in while nobody can be asked.
        desk.away = True
        desk.now_s += 60
        assert await tokens.get(GOOD, "192.0.2.1") == HOLDS

    desk.run(scene)


def test_an_address_with_many_unknown_tokens_has_to_wait_and_those_that_hold_do_not(
    desk: Desk,
) -> None:
    async def scene(tokens: ApiTokens) -> None:
        assert await tokens.get(GOOD, "192.0.2.1") == HOLDS
        for number in range(FREE_STRANGERS):
            assert await tokens.get(junk(number), "192.0.2.1") is None
        with pytest.raises(TooManyStrangers) as told:
            await tokens.get(junk(1_000), "192.0.2.1")
        assert told.value.wait_s == 60
        assert len(desk.asked) == 1 + FREE_STRANGERS
        assert await tokens.get(GOOD, "192.0.2.1") == HOLDS
        assert await tokens.get(junk(1_000), "192.0.2.2") is None
        desk.now_s += 60
        assert await tokens.get(junk(1_000), "192.0.2.1") is None

    desk.run(scene)


def test_one_wrong_token_sent_again_and_again_counts_once(desk: Desk) -> None:
    async def scene(tokens: ApiTokens) -> None:
        for _ in range(3 * FREE_STRANGERS):
            assert await tokens.get(junk(1), "192.0.2.1") is None

    desk.run(scene)
    assert desk.asked == [junk(1)]


def test_tokens_that_hold_or_cannot_be_checked_are_no_strangers(desk: Desk) -> None:
    async def scene(tokens: ApiTokens) -> None:
        desk.away = True
        for _ in range(3 * FREE_STRANGERS):
            with pytest.raises(IdentifierAway):
                await tokens.get(GOOD, "192.0.2.1")
        desk.away = False
        assert await tokens.get(GOOD, "192.0.2.1") == HOLDS

    desk.run(scene)
