"""A progress bar for files, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from producer.camera import Camera


class _Rate(ProgressColumn):
    """Frames per second, once there is one to tell."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0.0:.1f} frames/s")


class Progress:
    """One bar per file, with frames read and frames per second; nothing off a terminal."""

    def __init__(self, cameras: Sequence[Camera], *, enabled: bool | None = None) -> None:
        shown = sys.stderr.isatty() if enabled is None else enabled
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=not shown,
            transient=True,
        )
        self._tasks: list[tuple[Camera, TaskID]] = [
            (camera, self._bars.add_task(camera.plan.name, total=camera.total_frames))
            for camera in cameras
            if not camera.plan.live
        ]

    def __enter__(self) -> Self:
        if self._tasks:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def show(self) -> None:
        """Bring the bars up to date."""
        for camera, task in self._tasks:
            self._bars.update(task, completed=camera.read)
