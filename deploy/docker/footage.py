"""Make the demo's footage while its image is built: cameras as FOLDER/<name>.mp4, FOLDER/people."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from services.cli.footage import prepare_footage

with tempfile.TemporaryDirectory() as cache:
    made = prepare_footage(Path(cache))
    target = Path(sys.argv[1])
    shutil.copytree(made.people_dir, target / "people")
    for name, video in made.cameras.items():
        shutil.copyfile(video, target / f"{name}.mp4")
    (target / "LICENCES").write_text("\n".join(made.licences) + "\n", encoding="utf-8")
