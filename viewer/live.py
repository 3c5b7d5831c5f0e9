"""Who is watching what: wakes a browser's stream when its channel has something new.

Nothing is queued. A stream that is busy sending is marked once, however many frames go by, and
takes the newest when it is done: a slow browser sees fewer frames and costs no other anything.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager

from services.lifecycle import metrics
from viewer.board import Board, Key, View


class Watch:
    """One stream's place in the audience; belongs to the event loop."""

    def __init__(self, live: Live, keys: Iterable[Key]) -> None:
        self._live = live
        self.keys = frozenset(keys)
        # Ordered: channels take turns.
        self.pending: dict[Key, None] = dict.fromkeys(keys)
        self.wake = asyncio.Event()
        self.wake.set()

    async def views(self, fps: float = 0) -> AsyncIterator[View]:
        """What the channels show, as it changes; ends when one is gone or the viewer stops.

        Args:
            fps: most views per second and channel; 0 is no limit.
        """
        shown: dict[Key, int] = {}
        due_s = 0.0
        while True:
            await self.wake.wait()
            if fps and (early_s := due_s - time.monotonic()) > 0:
                await asyncio.sleep(early_s)
            # Half an interval of credit: frames come a little early as often as a little late.
            due_s = max(due_s + 1 / fps, time.monotonic() + 0.5 / fps) if fps else 0.0
            self.wake.clear()
            if self._live.closed():
                return
            pending, self.pending = self.pending, {}
            for key in pending:
                view = self._live.board.view(key)
                if view is None:
                    if len(self.keys) == 1:
                        return
                elif shown.get(key) != view.version:
                    shown[key] = view.version
                    yield view
                    if self._live.closed():
                        return


class Live:
    """The audience of a board. `changed` may be called from any thread, the rest from the loop's.

    Args:
        board: what there is to see.
        loop: where the streams run.
    """

    def __init__(self, board: Board, loop: asyncio.AbstractEventLoop) -> None:
        self.board = board
        self._closed = False
        self._loop = loop
        self._lock = threading.Lock()
        self._watches: dict[Key, set[Watch]] = {}
        self._streams = 0

    def closed(self) -> bool:
        """Whether the viewer is stopping."""
        return self._closed

    @property
    def streams(self) -> int:
        """Streams open now."""
        return self._streams

    def changed(self, keys: Iterable[Key]) -> None:
        """Say which channels have something new."""
        with self._lock:
            watched = [key for key in keys if key in self._watches]
            if watched and not self._closed:
                self._loop.call_soon_threadsafe(self._wake, watched)

    @contextmanager
    def watching(self, keys: Iterable[Key]) -> Iterator[Watch]:
        """Watch channels for the length of the block."""
        watch = Watch(self, keys)
        with self._lock:
            for key in watch.keys:
                self._watches.setdefault(key, set()).add(watch)
        self._streams += 1
        metrics.WATCHERS.set(self._streams)
        try:
            yield watch
        finally:
            self._streams -= 1
            metrics.WATCHERS.set(self._streams)
            with self._lock:
                for key in watch.keys:
                    self._watches[key].discard(watch)
                    if not self._watches[key]:
                        del self._watches[key]

    def close(self) -> None:
        """End every stream after the frame it is sending."""
        with self._lock:
            self._closed = True
            everyone = {watch for watches in self._watches.values() for watch in watches}
        for watch in everyone:
            watch.wake.set()

    def _wake(self, keys: Iterable[Key]) -> None:
        for key in keys:
            for watch in self._watches.get(key, ()):
                watch.pending[key] = None
                watch.wake.set()
