"""`facestream demo`, as a newcomer runs it: the right people, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import httpx
import psutil
import pytest

from services.cli.children import free_port
from services.cli.footage import prepare_footage
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(300)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "services.cli.main", *arguments]


def demo_env(tmp_path: Path) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if k != "KAFKA_BOOTSTRAP_SERVERS"}
    return env | {
        "VIEWER_PORT": str(free_port()),
        "API_PORT": str(free_port()),
        "INGEST_PORT": str(free_port()),
        "TMPDIR": str(tmp_path),
        "DEVICE": "cpu",
    }


def answers(port: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/state.json", timeout=5):
            return True
    except OSError:
        return False


def producers_known(env: dict[str, str]) -> int:
    """How many producers the identifier of a demo knows."""
    try:
        answer = httpx.get(
            f"http://127.0.0.1:{env['API_PORT']}/api/v1/cameras",
            headers={"Authorization": f"Bearer {env['API_TOKEN']}"},
            timeout=5,
        )
    except httpx.HTTPError:
        return 0
    return len(answer.json()["producers"])


def test_the_demo_names_the_right_people_in_the_right_cameras(tmp_path: Path) -> None:
    report_path, pictures = tmp_path / "report.json", tmp_path / "pictures"
    env = demo_env(tmp_path)
    ended = subprocess.run(
        command("demo", "--seconds", "25", "--report", str(report_path), "--save", str(pictures)),
        env=env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = json.loads(report_path.read_text())
    expected = prepare_footage().expected
    assert report["broker"] == "memory"
    assert set(report["cameras"]) == set(expected)
    for camera, people in expected.items():
        seen = report["cameras"][camera]
        assert set(seen["people"]) == set(people), camera
        assert seen["frames_identified"] > 0
        assert seen["frames_in"] >= seen["frames_identified"]
        for name in people:
            assert name in ended.stdout
            assert any(path.name.startswith(f"{camera}-") for path in pictures.iterdir())
    assert not answers(env["VIEWER_PORT"])
    assert not list(tmp_path.glob("facestream-demo-*"))


@pytest.mark.parametrize("moment", ["starting", "running"])
def test_ctrl_c_ends_the_demo_with_a_summary_and_leaves_no_process(
    moment: str, tmp_path: Path
) -> None:
    env = demo_env(tmp_path)
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            command("demo"), env=env, stdout=output, stderr=output, start_new_session=True
        )
    try:
        itself = psutil.Process(process.pid)
        eventually(lambda: bool(itself.children(recursive=True)), 120, "services start")
        if moment == "running":
            eventually(lambda: answers(env["VIEWER_PORT"]), 120, "the page answers")
        children = itself.children(recursive=True)
        process.send_signal(signal.SIGINT)
        status = process.wait(60)
    finally:
        process.kill()
    text = (tmp_path / "output").read_text()
    assert status == 0, text
    assert "Traceback" not in text
    _, alive = psutil.wait_procs(children, timeout=1)
    assert alive == []


def test_its_producers_never_hold_the_token_that_is_good_for_everything(tmp_path: Path) -> None:
    env = demo_env(tmp_path) | {"API_TOKEN": "good for everything"}
    env.pop("PRODUCER_TOKEN", None)
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            command("demo"), env=env, stdout=output, stderr=output, start_new_session=True
        )
    try:
        eventually(lambda: producers_known(env) == 2, 120, "both producers report")
        environments = {
            child.cmdline()[3]: child.environ()
            for child in psutil.Process(process.pid).children(recursive=True)
            if child.cmdline()[1:3] == ["-m", "services.cli.main"]
        }
        process.send_signal(signal.SIGINT)
        process.wait(60)
    finally:
        process.kill()
    assert environments["viewer"]["IDENTIFIER_TOKEN"] == "good for everything"
    for service in ("producer", "worker"):
        assert "good for everything" not in environments[service].values(), service
    made = environments["producer"]["IDENTIFIER_TOKEN"]
    assert made == environments["identifier"]["PRODUCER_TOKEN"]


def test_a_source_that_cannot_be_opened_is_one_line_and_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"this is not a film")
    env = demo_env(tmp_path) | {"EMBEDDED_BROKER": "memory", "DATA_DIR": str(tmp_path / "data")}
    source = f"door={tmp_path / 'broken.mp4'}"
    ended = subprocess.run(
        command("up", "--source", source, "--exit-when-done"),
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert "broken.mp4" in ended.stderr
    assert "Traceback" not in ended.stderr
