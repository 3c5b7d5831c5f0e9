"""What `up` and `demo` show on the terminal: a live table, and a summary at the end."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from services.cli.report import Report
from services.cli.watcher import Watcher

_LOG_WIDTH = 120

console = Console()
if not console.is_terminal:
    console = Console(width=_LOG_WIDTH)


def status_table(watcher: Watcher, lag: int | None, page: str) -> Table:
    """Frames/s, faces, names and delay of each camera, now."""
    title = f"{page}   lag {'?' if lag is None else lag} frames   Ctrl-C ends"
    table = Table(title=title, title_justify="left", expand=False)
    for column in ("camera", "frames/s", "frames", "faces", "in view", "end to end, ms"):
        table.add_column(column, justify="left" if column in ("camera", "in view") else "right")
    for name, camera in sorted(watcher.sightings.cameras.items()):
        delay_ms = camera.delays.quantile_ms(0.5)
        table.add_row(
            name,
            f"{watcher.rate(name):.1f}",
            str(camera.identified),
            str(camera.faces),
            ", ".join(camera.recent_names) or "–",
            "" if delay_ms is None else f"{delay_ms:.0f}",
        )
    return table


def status_line(watcher: Watcher, lag: int | None) -> str:
    """The same in one line, for a log: how many are named, not who, for names do not stay there."""
    parts = [
        f"{name}: {watcher.rate(name):.1f} frames/s, {len(camera.recent_names) or 'nobody'} named"
        for name, camera in sorted(watcher.sightings.cameras.items())
    ]
    return f"{'; '.join(parts) or 'no frame yet'} (lag {'?' if lag is None else lag})"


def summary_table(report: Report) -> Table:
    """Who was seen where and when."""
    title = (
        f"{report['seconds']:.0f} s, broker {report['broker']}, models {report['model_pack']}, "
        f"threshold {report['threshold']}"
    )
    table = Table(title=title, title_justify="left", expand=False)
    for column in ("camera", "frames", "left out", "who", "frames", "from", "to", "best score"):
        right = column in ("frames", "left out", "best score")
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for name, camera in sorted(report["cameras"].items()):
        left_out = sum(camera["dropped"].values()) + camera["dead_letters"]
        first = (name, f"{camera['frames_identified']}/{camera['frames_in']}", str(left_out))
        rows = [
            (
                who,
                str(person["frames"]),
                person["first"][11:19],
                person["last"][11:19],
                f"{person['best_score']:.2f}",
            )
            for who, person in camera["people"].items()
        ]
        if camera["unknown_faces"]:
            rows.append(("(unknown faces)", str(camera["unknown_faces"]), "", "", ""))
        for index, row in enumerate(rows or [("nobody", "", "", "", "")]):
            table.add_row(*(first if index == 0 else ("", "", "")), *row)
    return table
