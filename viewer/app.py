"""Puts a viewer together and takes it apart again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from services.certificate import trust
from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal
from viewer.access.assembly import open_access
from viewer.board import Board
from viewer.enrolled import Enrolled
from viewer.events import Events
from viewer.feed import Feed
from viewer.identifier import Identifier
from viewer.lettering import Lettering
from viewer.live import Live
from viewer.pages import make_pages
from viewer.pages.parts import Parts
from viewer.paging import Pages
from viewer.painter import Brush, Painter
from viewer.push import Push
from viewer.seats import Seats
from viewer.settings import ViewerSettings
from viewer.state import StateReader
from viewer.streams import Streams
from viewer.system.findings import PageFacts
from viewer.system.system import System, WatchedGroups
from viewer.texts import Texts
from viewer.web import Rooms, Site


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
    texts = Texts()
    board = Board(settings.stale_after_s, settings.forget_after_h * 3_600, texts)
    live = Live(board, asyncio.get_running_loop())
    painter = make_painter(settings)
    feed = Feed(settings, board, live.changed, health, stop, texts)
    feed.start()
    identifier = Identifier(
        settings.identifier_url,
        _text(settings.identifier_token),
        trust(settings.identifier_ca),
        texts,
    )
    if identifier.url is not None:
        Enrolled(identifier, board, live.changed, stop).start()
    state = StateReader(board, health)
    system = make_system(settings, state, identifier, texts)
    system.start()
    try:
        yield Viewer(make_site(settings, live, painter, state, identifier, system), live)
    finally:
        stop.stop()
        live.close()
        painter.close()
        system.stop()
        identifier.close()
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
    return Painter(brush, Lettering(settings.label_font), blur_unknown=settings.blur_unknown)


def make_system(
    settings: ViewerSettings,
    state: StateReader,
    identifier: Identifier,
    texts: Texts | None = None,
) -> System:
    """What the system page shows."""
    facts = PageFacts(
        loopback_only=settings.loopback_only,
        login=settings.has_login,
        https=_is_https(settings),
        data_dir=settings.data_dir,
    )
    groups = WatchedGroups(settings.worker_group, settings.identifier_group)
    return System(settings, groups, facts, state, identifier, texts or Texts())


def make_site(
    settings: ViewerSettings,
    live: Live,
    painter: Painter,
    state: StateReader,
    identifier: Identifier | None = None,
    system: System | None = None,
) -> Site:
    """The site over an audience, what it is shown, what is kept, and how everything is doing.

    Raises:
        SettingsError: VIEWER_SECRET, or the key in the data directory, cannot be used.
    """
    texts = Texts()
    identifier = identifier or Identifier(None, texts=texts)
    access = open_access(settings.access_options(settings.host_names), identifier, texts)
    parts = Parts(state, identifier, texts, settings.blur_unknown, settings.topic_person_prefix)
    system = system or make_system(settings, state, identifier, texts)
    pages = make_pages(parts, access, system)
    seats = Seats(settings.max_streams, settings.max_streams_per_visitor)
    rooms = Rooms(
        access.gate,
        Streams(live, painter, state, seats, texts, fps_limit=settings.fps_limit),
        Events(identifier.url, identifier.headers, texts, live.closed, identifier.trust),
        Push(settings.ingest_url, texts, _text(settings.ingest_token), trust(settings.ingest_ca)),
        Pages(pages, texts),
        texts,
    )
    return Site(rooms, settings.host_names)


def _is_https(settings: ViewerSettings) -> bool | None:
    """Whether browsers talk https to the page; None where a proxy knows."""
    if settings.certificate is not None:
        return True
    return None if settings.trusted_proxies else False


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
