"""HTTP cameras: MJPEG streams, and addresses that give one JPEG at a time."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from producer.addresses import Kind, redact
from producer.sources.frames import CapturedFrame, SourceLost, SourceOptions
from producer.sources.http_stream import HttpStream, plain
from producer.sources.multipart import boundary_of, parts
from services.records.jpeg import decode_jpeg

MAX_PIXELS = 200_000_000
_SNAPSHOT_EVERY_S = 1.0


class HttpSource:
    """Frames of an HTTP camera; each JPEG as the camera made it.

    An answer of `multipart/x-mixed-replace` is read until it ends; an answer of `image/jpeg` is
    a snapshot, asked for again every second.

    Raises:
        SourceLost: no answer in time, a refusal, or an answer that is neither.
    """

    kind: Kind = "http"
    is_live = True
    total_frames: int | None = None

    def __init__(self, uri: str, options: SourceOptions) -> None:
        self._uri = uri
        self._options = options
        self._cut = threading.Event()
        self._stream = self._open()
        self._boundary = boundary_of(self._stream.content_type)
        if self._boundary is None and not self._is_snapshot():
            kind = self._stream.content_type[:60]
            self._stream.close()
            raise SourceLost(f"the answer is {kind!r}, not multipart or image/jpeg", "no-picture")

    def describe(self) -> str:
        """The address without credentials."""
        return redact(self._uri)

    def interrupt(self) -> None:
        """Cut the connection."""
        self._cut.set()
        self._stream.cut()

    def close(self) -> None:
        """Leave the camera."""
        self._stream.close()

    def frames(self) -> Iterator[CapturedFrame]:
        """Every JPEG of the stream, or a snapshot a second."""
        try:
            if self._boundary is None:
                yield from self._snapshots()
            else:
                limit = self._options.max_frame_bytes
                for kind, payload in parts(self._stream.body, self._boundary, limit):
                    if kind in ("", "image/jpeg", "image/jpg", "image/pjpeg") and payload:
                        yield self._frame(payload)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SourceLost(plain(error)) from None
        raise SourceLost("the camera ended the stream")

    def _snapshots(self) -> Iterator[CapturedFrame]:
        limit = self._options.max_frame_bytes
        while not self._cut.is_set():
            payload = self._stream.body.read(limit + 1)
            self._stream.close()
            if len(payload) > limit:
                raise SourceLost(f"a picture of more than {limit} bytes")
            yield self._frame(payload)
            if self._cut.wait(_SNAPSHOT_EVERY_S):
                return
            self._stream = self._open()
            if not self._is_snapshot():
                raise SourceLost(f"the answer is {self._stream.content_type[:60]!r} now")

    def _is_snapshot(self) -> bool:
        return self._stream.content_type.lower().startswith(("image/jpeg", "image/jpg"))

    def _open(self) -> HttpStream:
        return HttpStream(
            self._uri,
            connect_timeout_s=self._options.connect_timeout_s,
            read_timeout_s=self._options.read_timeout_s,
            link_local=self._options.link_local,
        )

    def _frame(self, jpeg: bytes) -> CapturedFrame:
        limit = self._options.max_frame_bytes
        load = partial(decode_jpeg, jpeg, max_bytes=limit, max_pixels=MAX_PIXELS)
        return CapturedFrame(datetime.now(UTC), time.monotonic(), 0.0, load=load, jpeg=jpeg)
