"""Entry point of the viewer: wires settings, feed, board and server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from services.lifecycle.health import Health
from services.lifecycle.service import running
from services.lifecycle.stopping import StopSignal
from viewer.app import open_viewer
from viewer.server import listen, serve
from viewer.settings import ViewerSettings

log = structlog.get_logger()


def main(argv: Sequence[str] = ()) -> int:
    """Serve the page until told to stop."""
    settings = ViewerSettings.load(argv)
    health = Health("partitions", "page")
    with running(settings, health) as stop:
        asyncio.run(_run(settings, health, stop))
    return 0


async def _run(settings: ViewerSettings, health: Health, stop: StopSignal) -> None:
    listener = listen(settings.viewer_host, settings.viewer_port)
    host, port = listener.getsockname()[:2]
    if not settings.loopback_only:
        log.warning("whoever reaches this address sees every camera", address=f"{host}:{port}")

    def started() -> None:
        health.ready("page", ok=True, detail=f"port {port}")
        log.info("page", url=f"http://{settings.viewer_host}:{port}/")

    with open_viewer(settings, health, stop) as viewer:
        await serve(listener, viewer.site, viewer.live, stop, started)
