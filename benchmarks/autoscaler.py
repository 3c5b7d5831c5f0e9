"""What the autoscaler makes of a load: worst lag, worker-minutes, and a plot for the docs.

    python -m benchmarks.autoscaler [--svg docs/images/autoscaler.svg]

Runs the real autoscaler on the simulation of its tests: an hour and a half with a quiet start, a
step, a burst, a worker that dies, bursts that come again, and a night; workers need 20 s to start.
Beside it the same load with MAX_WORKERS, and with the mean number that the autoscaler used, fixed.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from autoscaler.decision import Limits
from tests.unit.autoscaler.simulation import Moment, Simulation, World

MAX_WORKERS = 8
SECONDS = 5_400.0
_DIES_AT_S = 2_300.0
_WORLD = World(partitions=12, look_every_s=2.0)
_WIDTH, _ROW, _GAP, _LEFT, _RIGHT, _TOP = 900, 150, 34, 58, 30, 30


def load(at_s: float) -> float:
    """Frames/s of the day."""
    if at_s < 300:
        return 15
    if at_s < 1_200:
        return 85
    if at_s < 1_320:
        return 190
    if at_s < 2_700:
        return 85
    if at_s < 3_600:
        return 130 if at_s % 120 < 40 else 40
    return 1 if at_s < 4_800 else 85


def run(workers: int = 1, *, fixed: bool = False) -> Simulation:
    """The day, with the autoscaler or with a fixed number of workers."""
    limits = Limits(
        min_workers=workers if fixed else 1, max_workers=workers if fixed else MAX_WORKERS
    )
    made = Simulation(load, limits, _WORLD, workers=workers)
    made.run(_DIES_AT_S)
    made.kill()
    return made.run(SECONDS - _DIES_AT_S)


def late_share(simulation: Simulation) -> float:
    """Share of the time in which frames waited for more than two seconds."""
    return sum(moment.lag_s > 2 for moment in simulation.moments) / len(simulation.moments)


def plot(simulation: Simulation) -> str:
    """Load, lag and workers over time, as SVG."""
    moments = simulation.moments
    rows: list[tuple[str, Callable[[Moment], float], str]] = [
        ("frames/s that arrive", lambda m: m.arriving_fps, "#2a78d6"),
        ("age of the oldest frame that waits, s", lambda m: m.lag_s, "#c2571a"),
        ("workers: ready, and wanted (thin)", lambda m: m.ready, "#1f8a5b"),
    ]
    height = _TOP + len(rows) * (_ROW + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="13" role="img" '
        'aria-label="Load, lag and workers over an hour and a half">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for index, (title, value, colour) in enumerate(rows):
        top = _TOP + index * (_ROW + _GAP)
        most = _rounded_up(max(value(moment) for moment in moments))
        parts += _frame(title, top, most)
        parts.append(_line(moments, value, top, most, colour, 2))
        if index == len(rows) - 1:
            parts.append(_line(moments, lambda m: m.wanted, top, most, "#222222", 0.8))
    foot = _TOP + len(rows) * (_ROW + _GAP) - _GAP + 16
    for minute in range(0, int(SECONDS / 60) + 1, 15):
        x = _x(minute * 60)
        parts.append(
            f'<text x="{x:.0f}" y="{foot}" text-anchor="middle" fill="#555">{minute} min</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def _frame(title: str, top: float, most: float) -> list[str]:
    lines = [f'<text x="{_LEFT}" y="{top - 8:.0f}" fill="#222">{title}</text>']
    for share in (0.0, 0.5, 1.0):
        y = top + _ROW * (1 - share)
        lines.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ddd"/>'
        )
        lines.append(
            f'<text x="{_LEFT - 8}" y="{y + 4:.0f}" text-anchor="end" fill="#555">'
            f"{most * share:g}</text>"
        )
    return lines


def _line(
    moments: Sequence[Moment],
    value: Callable[[Moment], float],
    top: float,
    most: float,
    colour: str,
    width: float,
) -> str:
    points: list[str] = []
    last: float | None = None
    for before, moment in zip([moments[0], *moments], moments, strict=False):
        now = value(moment)
        if now == last and moment is not moments[-1]:
            continue
        if last is not None:
            points.append(_point(before.at_s, last, top, most))
        points.append(_point(moment.at_s, now, top, most))
        last = now
    return (
        f'<polyline fill="none" stroke="{colour}" stroke-width="{width}" '
        f'stroke-linejoin="round" points="{" ".join(points)}"/>'
    )


def _point(at_s: float, value: float, top: float, most: float) -> str:
    return f"{_x(at_s):.1f},{top + _ROW * (1 - value / most):.1f}"


def _x(at_s: float) -> float:
    return _LEFT + (_WIDTH - _RIGHT - _LEFT) * at_s / SECONDS


def _rounded_up(value: float) -> float:
    return next(edge for edge in (1, 2, 4, 8, 10, 20, 40, 50, 100, 200, 400, 1e9) if edge >= value)


def main() -> None:
    """Run, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--svg", type=Path, default=Path("docs/images/autoscaler.svg"))
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    scaled = run()
    mean = max(1, round(scaled.worker_minutes * 60 / SECONDS))
    rows = [
        ("autoscaler, 1 to 8", scaled),
        ("8, fixed", run(MAX_WORKERS, fixed=True)),
        (f"{mean}, fixed: what the autoscaler used on average", run(mean, fixed=True)),
    ]
    print("| workers | worker-minutes | worst lag, s | more than 2 s behind | changes |")
    print("|---|---:|---:|---:|---:|")
    for name, made in rows:
        print(
            f"| {name} | {made.worker_minutes:.0f} | {made.worst_lag_s():.1f} | "
            f"{100 * late_share(made):.1f} % | {len(made.changes())} |"
        )
    options.svg.parent.mkdir(parents=True, exist_ok=True)
    options.svg.write_text(plot(scaled), encoding="utf-8")
    print(f"drawn: {options.svg}")


if __name__ == "__main__":
    main()
