"""`facestream doctor`, as somebody runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.pipeline import topic_env


def doctor(folder: Path, bootstrap: str, prefix: str, **env: str) -> tuple[int, str]:
    """Exit status and what it prints, on one line."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "services.cli.main", "doctor"],
        env={name: value for name, value in os.environ.items() if name not in ("SOURCE", "SOURCES")}
        | topic_env(prefix)
        | {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "TOPIC_STATUS": f"{prefix}status",
            "DATA_DIR": str(folder),
            "DEVICE": "cpu",
            "COLUMNS": "200",
        }
        | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def row(printed: str, what: str) -> str:
    return next(line for line in printed.splitlines() if f" {what} " in f" {line} ")


def test_it_says_what_is_missing_and_that_nothing_is_broken(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    status, printed = doctor(tmp_path, broker, topic_prefix)
    assert status == 0
    assert row(printed, "broker").startswith("ok")
    assert row(printed, "topics").startswith("look")
    assert "facestream topics create" in row(printed, "topics")
    assert row(printed, "dead letters").startswith("ok")
    assert row(printed, "disk").startswith("ok")


def test_a_broker_that_is_not_there_must_be_fixed(topic_prefix: str, tmp_path: Path) -> None:
    status, printed = doctor(tmp_path, "127.0.0.1:9", topic_prefix)
    assert status == 1
    assert row(printed, "broker").startswith("fix")
    assert "KAFKA_BOOTSTRAP_SERVERS" in printed
    assert " topics " not in printed
