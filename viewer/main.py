"""Entry point of the viewer: wires settings, feed, board and server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from services.lifecycle.health import Health
from services.lifecycle.service import running
from services.lifecycle.stopping import StopSignal
from services.status.reporter import reporting
from viewer.access.binding import bound_host
from viewer.app import open_viewer
from viewer.server import listen, serve
from viewer.settings import ViewerSettings

log = structlog.get_logger()


def main(argv: Sequence[str] = ()) -> int:
    """Serve the page until told to stop."""
    settings = ViewerSettings.load(argv)
    health = Health("partitions", "page")
    with running(settings, health) as stop, reporting(settings, health):
        asyncio.run(_run(settings, health, stop))
    return 0


async def _run(settings: ViewerSettings, health: Health, stop: StopSignal) -> None:
    host, instead = bound_host(settings.viewer_host, has_login=settings.has_login)
    if instead is not None:
        log.warning(instead)
    listener = listen(host, settings.viewer_port)
    port = listener.getsockname()[1]

    def started() -> None:
        health.ready("page", ok=True, detail=f"port {port}")
        scheme = "http" if settings.certificate is None else "https"
        log.info("page", url=f"{scheme}://{host}:{port}/")

    with open_viewer(settings, health, stop) as viewer:
        await serve(listener, viewer.site, viewer.live, stop, started, settings.certificate)
        await viewer.site.close()
