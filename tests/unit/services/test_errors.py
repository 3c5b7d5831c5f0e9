"""The tree of errors is the one its module draws."""

from __future__ import annotations

import inspect
import re

from services import errors
from services.errors import FacestreamError, FatalError, RecordError, SettingsError

_LINE = re.compile(r"^((?:│ {3}| {4}|├── |└── )*)([A-Z]\w+)")


def drawn() -> dict[str, str]:
    """Each error of the module's drawing, and its parent."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").split("\n\n")[1].splitlines():
        if match := _LINE.match(line):
            depth = len(match[1]) // 4
            path[depth:] = [match[2]]
            parents[match[2]] = path[depth - 1] if depth else "Exception"
    return parents


def test_the_drawing_is_complete_and_true() -> None:
    defined = {
        name: cls.__mro__[1].__name__
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if cls.__module__ == errors.__name__
    }
    assert drawn() == defined


def test_every_error_is_ours() -> None:
    for name in drawn():
        assert issubclass(getattr(errors, name), FacestreamError)


def test_every_fatal_error_exits_non_zero_and_wrong_settings_like_wrong_usage() -> None:
    fatal: list[type[FatalError]] = [FatalError, *FatalError.__subclasses__()]
    assert all(cls.exit_code != 0 for cls in fatal)
    assert SettingsError.exit_code == 2


def test_a_record_error_carries_a_word_for_metrics_and_a_sentence_for_people() -> None:
    error = RecordError("not-a-jpeg", "12 bytes that do not start as a JPEG")
    assert error.reason == "not-a-jpeg"
    assert str(error) == "12 bytes that do not start as a JPEG"
