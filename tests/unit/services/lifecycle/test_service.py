"""The wrap of every service, as a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_SERVICE = """
import logging, sys, threading
from typing import ClassVar
import structlog
from services.lifecycle import metrics
from services.lifecycle.health import Health
from services.lifecycle.logs import setup_logging
from services.lifecycle.service import running
from services.settings import ServiceSettings

class Settings(ServiceSettings):
    service_name: ClassVar[str] = "example"
    summary: ClassVar[str] = "an example"

settings = Settings.load()
early = structlog.get_logger()
with running(settings, Health()) as stop:
    setup_logging(settings)
    log = structlog.get_logger()
    log.info("frame out", camera="door", seq=7)
    early.info("early bird")
    log.debug("not at INFO")
    logging.getLogger("librdkafka").warning("broker %s is down", "b1")
    thread = threading.Thread(target=lambda: log.info("from a thread"))
    thread.start(); thread.join()
    try:
        secret = "sesame" + "sesame"
        raise ValueError("oh no")
    except ValueError:
        log.exception("it failed")
    metrics.FRAMES_IN.labels(camera="door").inc(2)
    print("ready", flush=True)
    if "wait" in sys.argv:
        stop.wait(30)
    if "fail" in sys.argv:
        raise RuntimeError("for good")
"""


def run(tmp_path: Path, *argv: str, **env: str) -> tuple[int, str]:
    """Exit status and stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _SERVICE, *argv],
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def test_log_lines_are_json_where_there_is_no_terminal(tmp_path: Path) -> None:
    status, err = run(tmp_path)
    assert status == 0
    lines = [json.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in lines] == [
        "frame out",
        "early bird",
        "broker b1 is down",
        "from a thread",
        "it failed",
        "stopped",
    ]
    assert lines[0] | {"timestamp": ""} == {
        "event": "frame out",
        "camera": "door",
        "seq": 7,
        "service": "example",
        "level": "info",
        "timestamp": "",
    }
    assert {line["service"] for line in lines} == {"example"}
    assert lines[2]["logger"] == "librdkafka"
    assert "ValueError: oh no" in lines[4]["exception"]


def test_log_lines_are_key_value_on_a_terminal(tmp_path: Path) -> None:
    _, err = run(tmp_path, LOG_FORMAT="console", LOG_LEVEL="DEBUG")
    first = err.splitlines()[0]
    assert re.search(r"frame out\s+camera=door seq=7 service=example", first)
    assert err.count("frame out") == 1
    assert err.count("not at INFO") == 1
    assert "ValueError" in err


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_no_traceback_shows_the_values_of_variables(tmp_path: Path, log_format: str) -> None:
    _, err = run(tmp_path, LOG_FORMAT=log_format)
    assert "ValueError: oh no" in err
    assert "sesamesesame" not in err


def test_sigterm_ends_it_well(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVICE, "wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    process.stdout.close()


def test_metrics_are_written_on_the_way_out_however_it_ends(tmp_path: Path) -> None:
    for argv, status in ((), 0), (("fail",), 1):
        file = tmp_path / f"{status}.prom"
        assert run(tmp_path, *argv, METRICS_TEXTFILE=str(file))[0] == status
        assert 'facestream_frames_in_total{camera="door"} 2.0' in file.read_text()


def test_metrics_that_cannot_be_written_are_said_and_change_nothing(tmp_path: Path) -> None:
    status, err = run(tmp_path, METRICS_TEXTFILE=str(tmp_path / "nowhere" / "m.prom"))
    assert status == 0
    assert "metrics are not written" in err
