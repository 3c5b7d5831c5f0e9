"""How many browsers one viewer serves: MJPEG clients against a bare asynchronous server.

    python -m benchmarks.viewer --clients 400 --fps 25 --kilobytes 50 --seconds 10

Both servers send the same frames to the same clients, one after the other in the same run. The
viewer is the real site in a process of its own; its frames come from a timer instead of Kafka,
with a face in each, so that every frame is drawn and encoded, which the bare server is spared:
its frames are drawn before. Every frame carries its number in its picture; eight clients read the
pictures, and the run fails when one shows a frame twice or an older one after a newer.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

import cv2
import numpy as np
import psutil

from benchmarks.mjpeg_clients import Audience, Client
from services.lifecycle import metrics
from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal
from services.records.jpeg import Image, encode_jpeg
from viewer.app import make_painter, make_site
from viewer.board import Board, Key, View
from viewer.live import Live
from viewer.pictures import Mark, Picture
from viewer.server import listen, serve
from viewer.settings import ViewerSettings
from viewer.state import StateReader

_SIZE = (640, 360)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=facestream\r\n\r\n"
_MARK = Mark((200, 100, 90, 110), "sam", "Sam", 0.6)
_NUMBER_BITS = 7
# A busy machine may skip many; what goes back goes back a little.
_MOST_SKIPPED = 100
_BIT_PX = 24
_KEEPERS = 8
_SETTLE_S = 1.5


@dataclass(frozen=True)
class Load:
    """What is asked for."""

    clients: int
    fps: float
    frame_bytes: int
    seconds: float
    stuck: int = 0


@dataclass(frozen=True)
class Figures:
    """What came of it; the time of the processors is that of the measured seconds."""

    fps_p5: float
    fps_median: float
    megabytes: float
    server_cpu_s: float
    clients_cpu_s: float
    frames: int


def numbered(picture: Image, number: int) -> Image:
    """A copy with a number in it, as squares along the lower edge."""
    copy = picture.copy()
    for bit in range(_NUMBER_BITS):
        left = bit * _BIT_PX
        copy[-_BIT_PX:, left : left + _BIT_PX] = 255 * (number >> bit & 1)
    return copy


def number_of(jpeg: bytes) -> int:
    """The number in a picture."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None, "a frame does not decode"
    assert picture.shape == _SIZE[::-1]
    row = picture[-_BIT_PX // 2]
    return sum(int(row[bit * _BIT_PX + _BIT_PX // 2] > 127) << bit for bit in range(_NUMBER_BITS))


def frames_of(about_bytes: int) -> list[bytes]:
    """Numbered JPEGs that have roughly a size once they are drawn on: noise, blurred to suit."""
    settings = ViewerSettings.load([], {})
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 255, (_SIZE[1], _SIZE[0], 3), dtype=np.uint8)

    def blurred(step: int) -> Image:
        return cv2.GaussianBlur(noise, (0, 0), 0.3 + 0.05 * step).astype(np.uint8)

    def miss_bytes(step: int) -> int:
        return abs(len(encode_jpeg(blurred(step), settings.jpeg_quality)) - about_bytes)

    best = blurred(min(range(60), key=miss_bytes))
    return [encode_jpeg(numbered(best, number), 95) for number in range(1 << _NUMBER_BITS)]


def picture_of(seq: int, frames: list[bytes]) -> Picture:
    """A frame of the hall."""
    jpeg = frames[seq % len(frames)]
    return Picture("hall", "s", seq, datetime.now(UTC), _SIZE, (_MARK,), jpeg)


async def drawn_parts(frames: list[bytes]) -> list[bytes]:
    """The parts that the viewer makes of frames."""
    painter = make_painter(ViewerSettings.load([], {}))
    key = Key("camera", "hall")
    views = [View(key, picture_of(seq, frames), (), seq) for seq in range(len(frames))]
    parts = [(await painter.render(view)).part for view in views]
    painter.close()
    return parts


async def bare_server(load: Load, ready: Connection, ended: Event) -> None:
    """The least a server can do: parts made before, a drain per client and frame."""
    parts = await drawn_parts(frames_of(load.frame_bytes))
    tick = asyncio.Condition()
    now = 0

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_HEAD + b"--facestream\r\n")
        try:
            while True:
                async with tick:
                    await tick.wait()
                writer.write(parts[now % len(parts)])
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, backlog=512)
    ready.send(server.sockets[0].getsockname()[1])
    due_s = time.monotonic()
    while not ended.is_set():
        async with tick:
            now += 1
            tick.notify_all()
        due_s += 1 / load.fps
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))


async def viewer_server(load: Load, ready: Connection, ended: Event) -> None:
    """The site itself, on frames from a timer."""
    frames = frames_of(load.frame_bytes)
    settings = ViewerSettings.load([], {"VIEWER_PORT": "0"})
    board = Board(settings.stale_after_s)
    live = Live(board, asyncio.get_running_loop())
    state = StateReader(board, Health())
    site = make_site(settings, live, make_painter(settings), state)
    listener = listen("127.0.0.1", 0)
    stop = StopSignal()

    async def feed() -> None:
        due_s, seq = time.monotonic(), 0
        while not ended.is_set():
            live.changed(board.show(picture_of(seq, frames)))
            seq += 1
            due_s += 1 / load.fps
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        stop.stop()

    feeding = asyncio.create_task(feed())
    await serve(listener, site, live, stop, lambda: ready.send(listener.getsockname()[1]))
    await feeding
    drawn = metrics.REGISTRY.get_sample_value("facestream_viewer_drawn_frames_total")
    print(f"  frames drawn by the viewer: {drawn:.0f}, for {load.clients} clients")


Server = Callable[[Load, Connection, Event], Coroutine[None, None, None]]


def _serve(server: Server, load: Load, ready: Connection, ended: Event) -> None:
    asyncio.run(server(load, ready, ended))


def measure(server: Server, load: Load) -> Figures:
    """Run one server in a process of its own, and the clients in this one."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    ended = context.Event()
    process = context.Process(target=_serve, args=(server, load, there, ended))
    process.start()
    try:
        audience = Audience(here.recv(), "/stream/hall.mjpg", load.clients, _KEEPERS, load.stuck)
        audience.connect()
        audience.read_for(_SETTLE_S)
        before = [client.parts for client in audience.clients]
        theirs_s, ours_s = _cpu_s(process.pid), _cpu_s(None)
        took_s = audience.read_for(load.seconds)
        theirs_s, ours_s = _cpu_s(process.pid) - theirs_s, _cpu_s(None) - ours_s
        counts = [
            client.parts - parts for client, parts in zip(audience.clients, before, strict=True)
        ]
        megabytes = _peak_megabytes(process.pid)
        audience.close()
    finally:
        ended.set()
        process.join()
    for client in audience.clients:
        _check(client)
    rates = sorted(count / took_s for count in counts)
    return Figures(
        rates[len(rates) // 20], statistics.median(rates), megabytes, theirs_s, ours_s, sum(counts)
    )


def _check(client: Client) -> None:
    """Numbers only rise, and none comes twice; they start again after 127."""
    numbers = [number_of(jpeg) for jpeg in client.jpegs]
    for before, after in itertools.pairwise(numbers):
        step = (after - before) % (1 << _NUMBER_BITS)
        assert 0 < step <= _MOST_SKIPPED, f"frame {after} after frame {before}"


def _cpu_s(pid: int | None) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def _peak_megabytes(pid: int | None) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell the peak of memory")


def main(argv: Sequence[str] | None = None) -> int:
    """Print both, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--fps", type=float, default=25)
    parser.add_argument("--kilobytes", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--stuck", type=int, default=0, help="more clients, which never read")
    given = parser.parse_args(argv)
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (min(most, max(files, 4 * (given.clients + given.stuck))), most)
    )
    load = Load(given.clients, given.fps, given.kilobytes * 1_000, given.seconds, given.stuck)
    parts = asyncio.run(drawn_parts(frames_of(load.frame_bytes)))
    size_kb = sum(map(len, parts)) / len(parts) / 1_000
    print(f"{load.clients} clients, {load.fps:g} frames/s, frames of {size_kb:.1f} kB")
    figures = {
        name: measure(server, load)
        for name, server in (("bare asyncio", bare_server), ("viewer", viewer_server))
    }
    heads = (("fps p5", 8), ("median", 8), ("memory", 10), ("cpu s", 8), ("us/frame", 10))
    print(" " * 14 + "".join(f"{head:>{wide}}" for head, wide in heads))
    for name, got in figures.items():
        each_us = 1e6 * got.server_cpu_s / max(1, got.frames)
        print(
            f"{name:14}{got.fps_p5:8.1f}{got.fps_median:8.1f}{got.megabytes:7.0f} MB"
            f"{got.server_cpu_s:8.1f}{each_us:10.0f}   (clients: {got.clients_cpu_s:.1f} s)"
        )
    ratio = figures["viewer"].fps_p5 / max(0.001, figures["bare asyncio"].fps_p5)
    print(f"viewer / bare at the 5th percentile: {ratio:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
