from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewer.access.tokens import LONGEST_S, StreamTokens, channel_of, stream_path

KEY = b"k" * 32


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_token_holds_for_its_channel_until_it_expires() -> None:
    clock = Clock()
    tokens = StreamTokens(KEY, clock)
    token, grant = tokens.sign("camera/hall", 60)
    assert tokens.check(token, "camera/hall") == grant
    assert grant.expires_s == clock.now_s + 60
    for other in ("camera/yard", "person/hall", "camera/hal", ""):
        assert tokens.check(token, other) is None
    clock.now_s += 60
    assert tokens.check(token, "camera/hall") is None


def test_a_token_of_another_key_does_not_hold() -> None:
    token, _ = StreamTokens(KEY).sign("camera/hall")
    assert StreamTokens(b"o" * 32).check(token, "camera/hall") is None


def test_blurring_cannot_be_taken_out_of_a_token() -> None:
    tokens = StreamTokens(KEY)
    token, grant = tokens.sign("camera/hall", blur=True)
    assert grant.blur
    checked = tokens.check(token, "camera/hall")
    assert checked is not None
    assert checked.blur
    assert tokens.check("AA" + token[2:], "camera/hall") is None


def test_no_token_holds_for_longer_than_thirty_days() -> None:
    clock = Clock()
    _, grant = StreamTokens(KEY, clock).sign("camera/hall", 10 * LONGEST_S)
    assert grant.expires_s == clock.now_s + LONGEST_S


@given(st.text(max_size=60))
def test_any_text_is_refused_calmly(text: str) -> None:
    assert StreamTokens(KEY).check(text, "camera/hall") is None


@given(st.integers(0, 43), st.sampled_from("ABab01-_"))
def test_a_changed_character_breaks_a_token(at: int, character: str) -> None:
    tokens = StreamTokens(KEY)
    token, _ = tokens.sign("camera/hall")
    changed = token[:at] + character + token[at + 1 :]
    assert (tokens.check(changed, "camera/hall") is None) == (changed != token)


@pytest.mark.parametrize(
    ("path", "channel"),
    [
        ("/stream/hall.mjpg", "camera/hall"),
        ("/snapshot/hall.jpg", "camera/hall"),
        ("/stream/person/sam.mjpg", "person/sam"),
        ("/snapshot/person/sam.jpg", "person/sam"),
        ("/face/sam.jpg", None),
        ("/live", None),
        ("/", None),
        ("/stream/../people.jpg", None),
    ],
)
def test_tokens_are_for_streams_and_snapshots_alone(path: str, channel: str | None) -> None:
    assert channel_of(path) == channel
    if channel is not None:
        assert channel_of(stream_path(channel)) == channel
