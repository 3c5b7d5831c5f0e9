"""Puts a viewer together and takes it apart again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal
from viewer.board import Board
from viewer.enrolled import Enrolled
from viewer.feed import Feed
from viewer.lettering import Lettering
from viewer.live import Live
from viewer.pages import make_pages
from viewer.painter import Brush, Painter
from viewer.settings import ViewerSettings
from viewer.state import StateReader
from viewer.streams import Streams
from viewer.web import Site

_IDENTIFIER = "http://127.0.0.1:5011"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The running parts that the server needs."""

    site: Site
    live: Live


@contextmanager
def open_viewer(settings: ViewerSettings, health: Health, stop: StopSignal) -> Iterator[Viewer]:
    """Run the feed for the length of the block; called in the event loop.

    Raises:
        FatalError: at the end, when the feed could not go on.
    """
    board = Board(settings.stale_after_s, settings.forget_after_h * 3_600)
    live = Live(board, asyncio.get_running_loop())
    painter = make_painter(settings)
    feed = Feed(settings, board, live.changed, health, stop)
    feed.start()
    if settings.identifier_url is not None:
        token = settings.identifier_token
        Enrolled(
            settings.identifier_url,
            None if token is None else token.get_secret_value(),
            board,
            live.changed,
            stop,
        ).start()
    try:
        yield Viewer(make_site(settings, live, painter, StateReader(board, health)), live)
    finally:
        stop.stop()
        live.close()
        painter.close()
        feed.join()


def make_painter(settings: ViewerSettings) -> Painter:
    """The painter that settings ask for."""
    brush = Brush(
        quality=settings.jpeg_quality,
        max_side_px=settings.max_side,
        max_pixels=settings.max_frame_pixels,
        max_bytes=settings.kafka_max_message_bytes,
        threads=settings.draw_threads,
    )
    return Painter(brush, Lettering(settings.label_font))


def make_site(settings: ViewerSettings, live: Live, painter: Painter, state: StateReader) -> Site:
    """The site over an audience and what it is shown."""
    streams = Streams(live, painter, state, fps_limit=settings.fps_limit, most=settings.max_streams)
    pages = make_pages(state, settings.identifier_url or _IDENTIFIER)
    return Site(streams, pages, settings.host_names)
