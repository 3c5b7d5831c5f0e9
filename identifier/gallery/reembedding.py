"""A changed model pack reads the kept photos before it is matched against.

Any number of identifiers may do this at once on one database: each takes what is still unread, in
an order of its own, and what two read at the same time is kept once. Nothing is lost when one
ends: what it has read stays read.
"""

from __future__ import annotations

import random
import threading
import time

import structlog
from sqlalchemy.exc import DBAPIError

from identifier.enrolment import Enroller
from identifier.gallery.recognisers import Recognisers
from identifier.gallery.values import PackProgress
from identifier.photos import EnrolmentError
from services.errors import ModelError
from services.lifecycle.health import Health

log = structlog.get_logger()

_POLL_S = 5.0
_RETRY_S = 2.0
_STOP_WITHIN_S = 2.0
_AT_ONCE = 64
_SAY_EVERY_S = 5.0


class Reembedding:
    """A thread that lets the model pack in use read every photo of the gallery that it has not.

    The service is ready (part `gallery`) once the pack is matched against, or there is no photo.
    Photos that come later by an identifier with another pack are read within seconds.

    Args:
        recognisers: of the gallery.
        enroller: reads photos with the pack in use.
        pack: its name.
        health: told how far it is.
        poll_s: seconds between two looks for unread photos.
    """

    def __init__(
        self,
        recognisers: Recognisers,
        enroller: Enroller,
        pack: str,
        health: Health,
        poll_s: float = _POLL_S,
    ) -> None:
        self.pack = pack
        self._recognisers = recognisers
        self._enroller = enroller
        self._health = health
        self._poll_s = poll_s
        self._busy = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="reembedding", daemon=True)
        health.ready("gallery", ok=False, detail="not looked at yet")

    @property
    def busy(self) -> bool:
        """Whether photos are being read now."""
        return self._busy

    def progress(self) -> PackProgress:
        """How far the pack is with the photos.

        Raises:
            DBAPIError: the database is away.
        """
        known = self._enroller.known_recogniser_sha256
        return self._recognisers.progress(known or self._recognisers.of_pack(self.pack))

    def start(self) -> None:
        """Begin to look for unread photos."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a photo in hand is finished, unless its models are still coming."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_WITHIN_S)

    def look(self) -> None:
        """Read what the pack has not read; when that is done, it is matched against.

        Raises:
            ModelError: the models cannot be had.
            DBAPIError: the database is away.
        """
        progress = self.progress()
        if progress.total and not (progress.matched and _is_through(progress)):
            self._read_all()
            progress = self.progress()
        done = progress.matched or not progress.total
        self._health.ready("gallery", ok=done, detail=_in_words(progress))

    def _read_all(self) -> None:
        sha256 = self._enroller.recogniser_sha256
        self._busy = True
        try:
            begun_s = said_s = time.monotonic()
            read, after = 0, ""
            self._say(sha256, read, begun_s)
            while ids := self._recognisers.unread(sha256, _AT_ONCE, after):
                after = ids[-1]
                random.shuffle(ids)  # so that two identifiers seldom take the same one
                for photo_id in ids:
                    if self._end.is_set():
                        return
                    self._read(photo_id, sha256)
                    read += 1
                    if time.monotonic() - said_s >= _SAY_EVERY_S:
                        said_s = time.monotonic()
                        self._say(sha256, read, begun_s)
            if self._recognisers.complete(sha256, self.pack):
                self._say(sha256, read, begun_s)
        finally:
            self._busy = False

    def _read(self, photo_id: str, sha256: str) -> None:
        photo = self._recognisers.photo(photo_id, sha256)
        if photo is None:
            return
        try:
            reading = self._enroller.read_again(photo.data, photo.box_px)
        except EnrolmentError as error:
            log.warning("photo not read again", photo=photo_id, reason=error.reason)
            self._recognisers.keep_failure(photo_id, sha256, error.reason)
        else:
            self._recognisers.keep(photo_id, reading)

    def _say(self, sha256: str, read: int, begun_s: float) -> None:
        progress = self._recognisers.progress(sha256)
        words = _in_words(progress)
        self._health.ready("gallery", ok=progress.matched, detail=words)
        log.info(
            "gallery read by the model pack",
            pack=self.pack,
            ready=progress.ready,
            failed=progress.failed,
            total=progress.total,
            photos_per_s=round(read / max(1e-3, time.monotonic() - begun_s), 1),
            matched=progress.matched,
        )

    def _watch(self) -> None:
        complaint = ""
        while not self._end.is_set():
            wait_s = self._poll_s
            try:
                self.look()
            except (ModelError, DBAPIError) as error:
                why = str(error).split("\n")[0]
                if why != complaint:
                    log.warning("gallery cannot be read by the model pack now", why=why)
                complaint, wait_s = why, _RETRY_S
            else:
                complaint = ""
            if self._end.wait(wait_s):
                return


def _is_through(progress: PackProgress) -> bool:
    return progress.ready + progress.failed >= progress.total


def _in_words(progress: PackProgress) -> str:
    done = progress.ready + progress.failed
    if progress.matched:
        return f"{progress.ready} of {progress.total} photos"
    return f"re-embedding, {done} of {progress.total} photos" if progress.total else "no photos"
