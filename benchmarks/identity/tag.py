"""Naming everyone in a photo: `facestream tag` on group photos of eight people."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Who is in which photo: the best one-to-one assignment of its faces to the eight people by the mean
# similarity to their five crops, every one of them at least three times the runner-up's, but for
# the man cut off at the edge of bbt2.
_THERE = {
    "bbt1.jpg": {"howard", "leonard", "raj", "sheldon"},
    "bbt2.jpg": {"leonard", "raj", "sheldon"},
    "bbt3.jpg": {"howard", "leonard", "penny", "raj", "sheldon"},
    "bbt4.jpg": {"amy", "bernadette", "leonard", "penny", "raj", "sheldon"},
    "bbt5.jpg": {"howard", "leonard", "penny", "raj", "sheldon"},
}


def report(data: Path) -> None:
    """Teach five crops of each person, tag each group photo, count the names."""
    source = data / "group_bbt"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for photo in sorted(source.glob("*.jpg")):
            shutil.copy(photo, folder / "in")
        shutil.copytree(source / "ref", folder / "people")
        _tag(folder)
        print("| photo | people | named | right | wrong | missed |")
        print("|---|---|---|---|---|---|")
        totals = [0, 0, 0, 0]
        for photo in sorted((folder / "in").iterdir()):
            answer = json.loads((folder / "out" / f"{photo.name}.json").read_text())
            named = {face["name"] for face in answer["faces"] if face["matched"]}
            there = _THERE[photo.name]
            counts = (len(there), len(named), len(named & there), len(named - there))
            totals = [total + count for total, count in zip(totals, counts, strict=True)]
            print(f"| {photo.name} | {' | '.join(map(str, counts))} | {counts[0] - counts[2]} |")
    people, named_all, right, _ = totals
    print(f"\nprecision {right / named_all:.3f}, recall {right / people:.3f}")


def _tag(folder: Path) -> None:
    command = [sys.executable, "-m", "services.cli.main", "tag", "in"]
    subprocess.run(
        [*command, "--people", "people", "--out", "out"],
        cwd=folder,
        env=os.environ | {"EMBEDDED_BROKER": "memory"},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
