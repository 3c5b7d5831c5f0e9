"""Serves the site: uvicorn in this thread, until told to stop, ending every stream on the way."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import structlog
import uvicorn

from services.certificate import Certificate
from services.errors import SettingsError
from services.lifecycle.stopping import StopSignal
from viewer.asgi import App
from viewer.board import Board
from viewer.live import Live
from viewer.wire import WireProtocol

log = structlog.get_logger()

# 400 slow browsers times the megabytes the kernel would take for each are a lot of memory.
_SEND_BUFFER_BYTES = 524_288
# Frames that wait in the kernel are old when a slow browser gets them. This is what may wait to
# be sent, besides what is on its way.
_UNSENT_BYTES = 65_536
_BACKLOG = 512
_TICK_S = 0.1
_STREAMS_END_WITHIN_S = 2


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to the service."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """Bind the page's address.

    Raises:
        SettingsError: it cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"VIEWER_PORT={port}: {host}:{port}: {os.strerror(error.errno or 0)}"
        ) from None
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    return server


async def serve(
    listener: socket.socket,
    app: App,
    live: Live,
    stop: StopSignal,
    started: Callable[[], None] = lambda: None,
    certificate: Certificate | None = None,
) -> None:
    """Serve until `stop`; streams end then, browsers that take nothing are cut off.

    Args:
        listener: bound and listening.
        app: the site.
        live: its audience, told of silence and of the end.
        stop: when to end.
        started: called once the page can be reached.
        certificate: to serve https with.
    """
    _allow_files()
    config = uvicorn.Config(
        app,
        http=WireProtocol,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_STREAMS_END_WITHIN_S,
        proxy_headers=False,
        ssl_certfile=None if certificate is None else str(certificate.chain),
        ssl_keyfile=None if certificate is None else str(certificate.key),
    )
    server = _Server(config)
    _quieten()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    ticking = asyncio.create_task(_tick(live.board, live))
    ending = asyncio.create_task(_once_stopped(stop))
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        started()
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        live.close()
        server.should_exit = True
        await serving
    finally:
        ticking.cancel()
        ending.cancel()
        stop.stop()


async def _tick(board: Board, live: Live) -> None:
    while True:
        await asyncio.sleep(_TICK_S)
        live.changed(board.tick())


async def _once_stopped(stop: StopSignal) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def wait() -> None:
        stop.wait()
        # Closed already when the server ended first.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stopped.set)

    threading.Thread(target=wait, name="stopping", daemon=True).start()
    await stopped.wait()


def _allow_files() -> None:
    """Raise the limit of open files as far as it goes: a stream takes two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _quieten() -> None:
    """Keep back what uvicorn calls an error and is our intent: ending a stream that is stuck."""

    def wanted(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(("ASGI callable returned without", "Cancel "))

    logging.getLogger("uvicorn.error").addFilter(wanted)
