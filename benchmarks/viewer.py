"""How many browsers one viewer serves: MJPEG clients against a bare asynchronous server.

    python -m benchmarks.viewer --clients 400 --fps 25 --kilobytes 50 --seconds 10

Both servers send the same bytes to the same clients, one after the other in the same run. The
viewer is the real site in a process of its own; its frames come from a timer instead of Kafka,
with a face in each, so that every frame is drawn and encoded. The clients are one process.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

import cv2
import numpy as np

from services.lifecycle import metrics
from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal
from viewer.app import make_painter, make_site
from viewer.board import Board
from viewer.live import Live
from viewer.pictures import Mark, Picture
from viewer.server import listen, serve
from viewer.settings import ViewerSettings
from viewer.state import StateReader

_SIZE = (640, 360)
_BOUNDARY = b"\r\n--facestream\r\n"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=facestream\r\n\r\n"


@dataclass(frozen=True)
class Load:
    """What is asked for."""

    clients: int
    fps: float
    frame_bytes: int
    seconds: float


@dataclass(frozen=True)
class Figures:
    """What came of it."""

    fps_p5: float
    fps_median: float
    megabytes: float
    cpu_s: float


def noise_jpeg(about_bytes: int) -> bytes:
    """A JPEG of roughly a size: blurred noise, as much as it takes."""
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 255, (_SIZE[1], _SIZE[0], 3), dtype=np.uint8)
    best = b""
    for blur in (1, 3, 5, 7, 9, 13, 17, 25):
        jpeg = cv2.imencode(".jpg", cv2.GaussianBlur(picture, (blur, blur), 0))[1].tobytes()
        if not best or abs(len(jpeg) - about_bytes) < abs(len(best) - about_bytes):
            best = jpeg
    return best


async def bare_server(load: Load, ready: Connection, ended: Event) -> None:
    """The least a server can do: one shared part, a drain per client and frame."""
    part = b"Content-Type: image/jpeg\r\n\r\n" + noise_jpeg(load.frame_bytes) + _BOUNDARY
    tick = asyncio.Condition()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_HEAD + b"--facestream\r\n")
        try:
            while True:
                async with tick:
                    await tick.wait()
                writer.write(part)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, backlog=512)
    ready.send(server.sockets[0].getsockname()[1])
    due_s = time.monotonic()
    while not ended.is_set():
        async with tick:
            tick.notify_all()
        due_s += 1 / load.fps
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))


async def viewer_server(load: Load, ready: Connection, ended: Event) -> None:
    """The site itself, on frames from a timer."""
    settings = ViewerSettings.load([], {"VIEWER_PORT": "0"})
    board = Board(settings.stale_after_s)
    live = Live(board, asyncio.get_running_loop())
    site = make_site(settings, live, make_painter(settings), StateReader(board, Health()))
    listener = listen("127.0.0.1", 0)
    jpeg = noise_jpeg(load.frame_bytes)
    stop = StopSignal()

    def show(seq: int) -> None:
        now = datetime.now(UTC)
        mark = Mark((200, 100, 90, 110), "sam", "Sam", 0.6)
        live.changed(board.show(Picture("hall", "s", seq, now, _SIZE, (mark,), jpeg)))

    async def feed() -> None:
        due_s, seq = time.monotonic(), 1
        while not ended.is_set():
            show(seq)
            seq += 1
            due_s += 1 / load.fps
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        stop.stop()

    show(0)
    feeding = asyncio.create_task(feed())
    await serve(listener, site, live, stop, lambda: ready.send(listener.getsockname()[1]))
    await feeding
    drawn = metrics.REGISTRY.get_sample_value("facestream_viewer_drawn_frames_total")
    print(f"  frames drawn by the viewer: {drawn:.0f}, for {load.clients} clients")


async def watch_all(load: Load, port: int) -> list[float]:
    """Frames per second that each client got, counted by boundaries after a second of warming."""
    counts = [0] * load.clients
    counting = asyncio.Event()

    async def watch(number: int) -> None:
        await asyncio.sleep(number / load.clients)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        writer.write(b"GET /stream/hall.mjpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        tail = b""
        while data := await reader.read(1 << 18):
            if counting.is_set():
                counts[number] += (tail + data).count(_BOUNDARY)
                tail = data[-len(_BOUNDARY) + 1 :]

    tasks = [asyncio.create_task(watch(number)) for number in range(load.clients)]
    await asyncio.sleep(2.5)
    counting.set()
    began_s = time.monotonic()
    await asyncio.sleep(load.seconds)
    took_s = time.monotonic() - began_s
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return [count / took_s for count in counts]


Server = Callable[[Load, Connection, Event], Coroutine[None, None, None]]


def _serve(server: Server, load: Load, ready: Connection, ended: Event) -> None:
    asyncio.run(server(load, ready, ended))
    used = resource.getrusage(resource.RUSAGE_SELF)
    ready.send((used.ru_maxrss / 1024, used.ru_utime + used.ru_stime))


def measure(server: Server, load: Load) -> Figures:
    """Run one server in a process of its own, and the clients in this one."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    ended = context.Event()
    process = context.Process(target=_serve, args=(server, load, there, ended))
    process.start()
    rates = sorted(asyncio.run(watch_all(load, here.recv())))
    ended.set()
    megabytes, cpu_s = here.recv()
    process.join()
    return Figures(rates[len(rates) // 20], statistics.median(rates), megabytes, cpu_s)


def main(argv: Sequence[str] | None = None) -> int:
    """Print both, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--fps", type=float, default=25)
    parser.add_argument("--kilobytes", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args(argv)
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, max(files, 4 * given.clients)), most))
    load = Load(given.clients, given.fps, given.kilobytes * 1_000, given.seconds)
    size_kb = len(noise_jpeg(load.frame_bytes)) / 1_000
    print(f"{load.clients} clients, {load.fps:g} frames/s, frames of {size_kb:.0f} kB")
    figures = {
        name: measure(server, load)
        for name, server in (("bare asyncio", bare_server), ("viewer", viewer_server))
    }
    print(f"{'':14}{'fps p5':>8}{'median':>8}{'memory':>10}{'cpu s':>8}")
    for name, got in figures.items():
        print(
            f"{name:14}{got.fps_p5:8.1f}{got.fps_median:8.1f}"
            f"{got.megabytes:7.0f} MB{got.cpu_s:8.1f}"
        )
    ratio = figures["viewer"].fps_p5 / max(0.001, figures["bare asyncio"].fps_p5)
    print(f"viewer / bare at the 5th percentile: {ratio:.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
