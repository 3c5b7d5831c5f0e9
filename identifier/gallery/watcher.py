"""Keeps the newest snapshot of a gallery that anyone may change, and looks every half second."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import structlog
from sqlalchemy.exc import DBAPIError

from identifier.gallery.store import GalleryStore
from identifier.snapshot import Snapshot, SnapshotSource
from services.lifecycle import metrics
from services.lifecycle.health import Health

log = structlog.get_logger()

POLL_S = 0.4
_STOP_WITHIN_S = 1.0


class GalleryWatcher(SnapshotSource):
    """A thread that makes a new snapshot when the gallery's version changes, of who changed.

    While the database is away the last snapshot goes on being matched, and the part `database` of
    the service's health says so.

    Args:
        store: the gallery.
        health: told how the database stands.
        on_change: called with every new snapshot, on the thread that loaded it.
    """

    def __init__(
        self,
        store: GalleryStore,
        health: Health,
        on_change: Callable[[Snapshot], None] | None = None,
    ) -> None:
        self._store = store
        self._health = health
        self._on_change = on_change
        self._loading = threading.Lock()
        self._end = threading.Event()
        self._index = store.load()
        self._snapshot = self._index.snapshot()
        self._thread = threading.Thread(target=self._watch, name="gallery", daemon=True)
        self._accept(self._snapshot, anew=True)

    @property
    def snapshot(self) -> Snapshot:
        """The newest that was loaded."""
        return self._snapshot

    def refresh(self) -> Snapshot:
        """Load now what has changed; when this returns, the change is matched.

        Raises:
            DBAPIError: the database is away.
        """
        with self._loading:
            before, self._index = self._index, self._store.follow(self._index)
            if self._index.version != self._snapshot.version:
                self._snapshot = self._index.snapshot()
                self._accept(self._snapshot, anew=self._index is not before)
            return self._snapshot

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_WITHIN_S)

    def _watch(self) -> None:
        away = False
        while not self._end.wait(POLL_S):
            try:
                self.refresh()
            except DBAPIError as error:
                if not away:
                    log.warning("gallery database away", error=str(error.orig).split("\n")[0])
                self._health.ready("database", ok=False, detail="away")
                away = True
            else:
                if away:
                    log.info("gallery database back")
                    self._health.ready("database", ok=True)
                away = False

    def _accept(self, snapshot: Snapshot, *, anew: bool) -> None:
        metrics.GALLERY_REFERENCES.set(snapshot.references)
        self._health.ready("database", ok=True)
        log.log(
            logging.INFO if anew else logging.DEBUG,  # an import changes it a thousand times
            "gallery loaded" if anew else "gallery changed",
            version=snapshot.version,
            people=len(snapshot.slugs),
            references=snapshot.references,
        )
        if self._on_change is not None:
            self._on_change(snapshot)
