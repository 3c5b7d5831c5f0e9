"""Test shots: one picture of a camera that may not be one, within bounds."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress

import structlog

from producer.addresses import check_source
from producer.encoding import encode
from producer.identifier import Identifier, IdentifierAway, Wanted
from producer.sources import SourceLost, SourceOptions, open_source
from services.errors import FacestreamError, RecordError, SourceError

log = structlog.get_logger()

MAX_SIDE_PX = 1_280
_QUALITY = 85
_AT_ONCE = 2
_TIMEOUT_S = 5.0
_WITHIN_S = 10.0
_SPARE_NAME = "shot"


class ShotFailed(FacestreamError):  # noqa: N818 - says what happened
    """There is no picture.

    Attributes:
        reason: one kebab-case word.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def take_shot(address: str, options: SourceOptions, within_s: float = _WITHIN_S) -> bytes:
    """The first frame of an address, as a JPEG of at most 1280 px.

    Args:
        address: may hold a password.
        options: how it is opened.
        within_s: after so long, open and silent, it is given up.

    Raises:
        ShotFailed: `wrong-password`, `not-found`, `unreachable`, `no-picture`, `refused-address`
            or `bad-address`, in a sentence without credentials.
    """
    try:
        check_source(_SPARE_NAME, address)
    except ValueError as error:
        raise ShotFailed("bad-address", str(error)) from None
    try:
        source = open_source(address, options)
    except SourceLost as error:
        raise ShotFailed(error.reason, str(error)) from None
    except SourceError as error:
        raise ShotFailed("no-picture", str(error)) from None
    giving_up = threading.Timer(within_s, source.interrupt)
    giving_up.daemon = True
    giving_up.start()
    try:
        captured = next(iter(source.frames()), None)
        if captured is None:
            raise ShotFailed("no-picture", "the camera sent no picture")
        return encode(captured, max_side_px=MAX_SIDE_PX, quality=_QUALITY).jpeg
    except SourceLost as error:
        raise ShotFailed(error.reason, str(error)) from None
    except (SourceError, RecordError) as error:
        raise ShotFailed("no-picture", str(error)) from None
    finally:
        giving_up.cancel()
        source.close()


class ShotTaker:
    """Takes the test shots that are asked for, two at a time, each on a thread of its own.

    Args:
        identifier: whom they are delivered to.
        options: how cameras are opened; waits are shortened to fit in the time there is.
    """

    def __init__(self, identifier: Identifier, options: SourceOptions) -> None:
        self._identifier = identifier
        self._options = options
        self._free = threading.BoundedSemaphore(_AT_ONCE)

    def take(self, shots: Sequence[Wanted]) -> None:
        """Begin; whoever asked is told."""
        for shot in shots:
            threading.Thread(target=self._take, args=(shot,), name="shot", daemon=True).start()

    def _take(self, shot: Wanted) -> None:
        with suppress(IdentifierAway):
            if not self._free.acquire(blocking=False):
                self._identifier.refuse(shot.id, "busy", "this producer takes other test shots")
                return
            try:
                self._identifier.deliver(shot.id, take_shot(shot.address, self._options))
            except ShotFailed as failure:
                log.info("no test shot", reason=failure.reason)
                self._identifier.refuse(shot.id, failure.reason, str(failure))
            finally:
                self._free.release()


def shot_options(options: SourceOptions) -> SourceOptions:
    """Options for a test shot: somebody waits for it."""
    return SourceOptions(
        connect_timeout_s=min(_TIMEOUT_S, options.connect_timeout_s),
        read_timeout_s=min(_TIMEOUT_S, options.read_timeout_s),
        rtsp_transport=options.rtsp_transport,
        images_fps=1.0,
        max_frame_bytes=options.max_frame_bytes,
        link_local=False,
    )
