"""From camera to screen: frames/s and delay of the whole pipeline, on each broker.

    python -m benchmarks.pipeline [--clip FILE] [--cameras 4] [--seconds 30]

Runs `facestream up` with the clip as several endless cameras, once on the in-memory broker and once
on a real Apache Kafka (the embedded one; with KAFKA_BOOTSTRAP_SERVERS set, that cluster as well).
Flat out: the cameras send more than the workers can do, which then skip stale frames; what comes
out is what this machine can do. Half load: the cameras together send half of that, and nothing
should be skipped. Delays run from `captured-at` to a reader of faces.identified, where the viewer
stands.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.inference import DEFAULT_CLIP

_FLAT_OUT_FPS = 30.0


@dataclass(frozen=True)
class Figures:
    """One run: frames per second in and out, share left out, delay in milliseconds."""

    offered_fps: float
    shown_fps: float
    left_out: float
    p50_ms: float
    p95_ms: float


def run_up(broker: str, clip: Path, cameras: int, fps: float, seconds: float) -> Figures:
    """One `facestream up`, told to end after `seconds`."""
    with tempfile.TemporaryDirectory() as folder:
        report_path = Path(folder) / "report.json"
        command = [sys.executable, "-m", "services.cli.main", "up", "--seconds", str(seconds)]
        command += ["--report", str(report_path), "--source"]
        command += [f"camera-{number}={clip}" for number in range(cameras)]
        env = {k: v for k, v in os.environ.items() if k != "KAFKA_BOOTSTRAP_SERVERS"}
        env |= {"DATA_DIR": folder, "LOOP": "true", "REALTIME": "true", "FPS": f"{fps:.3f}"}
        if broker == "external":
            env["KAFKA_BOOTSTRAP_SERVERS"] = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
        else:
            env["EMBEDDED_BROKER"] = broker
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
        report = json.loads(report_path.read_text())
    seen = report["cameras"].values()
    frames_in = sum(camera["frames_in"] for camera in seen)
    shown = sum(camera["frames_identified"] for camera in seen)
    left_out = sum(sum(camera["dropped"].values()) for camera in seen)
    return Figures(
        offered_fps=frames_in / seconds,
        shown_fps=shown / seconds,
        left_out=left_out / max(1, frames_in),
        p50_ms=statistics.median(camera["end_to_end_ms"]["p50"] for camera in seen),
        p95_ms=max(camera["end_to_end_ms"]["p95"] for camera in seen),
    )


def main() -> None:
    """Run every broker under both loads and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clip", type=Path, default=DEFAULT_CLIP, help="video with faces")
    parser.add_argument("--cameras", type=int, default=4, help="cameras that play it")
    parser.add_argument("--seconds", type=float, default=30, help="length of each run")
    arguments = parser.parse_args()
    brokers = ["memory", "kafka"]
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        brokers.append("external")
    row = "{:<9} {:<9} {:>10} {:>10} {:>9} {:>9} {:>9}"
    print(row.format("broker", "load", "offered/s", "shown/s", "left out", "p50, ms", "p95, ms"))
    rates: dict[str, float] = {}
    for broker in brokers:
        fps = _FLAT_OUT_FPS
        for load in ("flat out", "half"):
            figures = run_up(broker, arguments.clip, arguments.cameras, fps, arguments.seconds)
            print(
                row.format(
                    broker,
                    load,
                    f"{figures.offered_fps:.1f}",
                    f"{figures.shown_fps:.1f}",
                    f"{figures.left_out:.0%}",
                    f"{figures.p50_ms:.0f}",
                    f"{figures.p95_ms:.0f}",
                ),
                flush=True,
            )
            rates.setdefault(broker, figures.shown_fps)
            fps = figures.shown_fps / 2 / arguments.cameras
    print(f"ratio     {rates['kafka'] / rates['memory']:.2f} (kafka to memory, flat out)")


if __name__ == "__main__":
    main()
