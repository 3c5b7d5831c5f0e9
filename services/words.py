"""Sentences found by a key, so that a page may say what a terminal says in words of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Say(Protocol):
    """Gives the sentence of a key, its `{places}` filled."""

    def __call__(self, key: str, /, **values: object) -> str:
        """See above."""


def say_from(sentences: Mapping[str, str]) -> Say:
    """Says what stands in a table."""

    def say(key: str, /, **values: object) -> str:
        return sentences[key].format(**values)

    return say
