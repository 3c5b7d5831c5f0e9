"""Finding a Java: the user's choice first, then the path, and only one that is new enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.broker.java import find_java
from services.errors import BrokerError

JAVA_21 = 'openjdk version "21.0.2" 2024-01-16'
JAVA_17 = 'openjdk version "17.0.15" 2025-04-15'
JAVA_8 = 'java version "1.8.0_402"'


def a_java(folder: Path, says: str) -> Path:
    """A command that answers `-version` as Java does."""
    folder.mkdir(parents=True)
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    java.chmod(0o755)
    return java


def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    chosen = a_java(tmp_path / "home" / "bin", JAVA_21)
    a_java(tmp_path / "path", JAVA_17)
    env = {"JAVA_HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "path")}
    assert find_java(env) == chosen


def test_a_java_home_that_is_too_old_leaves_the_one_on_the_path(tmp_path: Path) -> None:
    a_java(tmp_path / "home" / "bin", JAVA_8)
    on_path = a_java(tmp_path / "path", JAVA_17)
    env = {"JAVA_HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "path")}
    assert find_java(env) == on_path


def test_no_java_at_all_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"Java 17 or newer, and there is none: install"):
        find_java({"PATH": str(tmp_path)})


def test_a_java_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    java = a_java(tmp_path / "path", JAVA_8)
    with pytest.raises(BrokerError, match=rf"{java} is Java 8\)"):
        find_java({"PATH": str(tmp_path / "path")})


def test_a_command_that_is_no_java_is_not_taken_for_one(tmp_path: Path) -> None:
    java = a_java(tmp_path / "path", "hello")
    with pytest.raises(BrokerError, match=rf"{java} is not a Java"):
        find_java({"PATH": str(tmp_path / "path")})
