"""RTSP cameras, through PyAV."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import av

from producer.addresses import Kind, redact
from producer.sources.frames import CapturedFrame, Reason, SourceLost, SourceOptions
from producer.sources.video import to_bgr
from services.addresses import host_of, is_link_local

_MOST_BAD_PACKETS = 250
_PROBE_US = 1_000_000


class RtspSource:
    """Frames of an RTSP camera as they arrive.

    Packets that do not decode (lost on the way, or before the first key frame) are passed over;
    a stream of nothing else counts as lost.

    Raises:
        SourceLost: the camera does not answer, refuses, or sends no video.
    """

    kind: Kind = "rtsp"
    is_live = True
    total_frames: int | None = None

    def __init__(self, uri: str, options: SourceOptions) -> None:
        self._uri = uri
        if not options.link_local:
            _refuse_link_local(uri)
        try:
            self._container = av.open(
                uri,
                options={
                    "rtsp_transport": options.rtsp_transport,
                    "fflags": "nobuffer",
                    "flags": "low_delay",
                    "analyzeduration": str(_PROBE_US),
                    # FFmpeg's own limit on a silent socket, microseconds.
                    "timeout": str(int(options.read_timeout_s * 1_000_000)),
                },
                timeout=(options.connect_timeout_s, options.read_timeout_s),
                metadata_errors="ignore",
            )
        except (av.FFmpegError, OSError) as error:
            raise _lost(error) from None
        if not self._container.streams.video:
            self._container.close()
            raise SourceLost("the camera sends no video", "no-picture")
        self._stream = self._container.streams.video[0]
        # Threads over frames hold a frame back per thread; over slices they do not.
        self._stream.thread_type = "SLICE"

    def describe(self) -> str:
        """The address without credentials."""
        return redact(self._uri)

    def interrupt(self) -> None:
        """FFmpeg cannot be cut off; `read_timeout_s` bounds the wait."""

    def close(self) -> None:
        """Leave the camera."""
        self._container.close()

    def frames(self) -> Iterator[CapturedFrame]:
        """Every frame that decodes, without end."""
        bad = 0
        try:
            for packet in self._container.demux(self._stream):
                try:
                    decoded = self._stream.decode(packet)
                except av.InvalidDataError:
                    bad += 1
                    if bad > _MOST_BAD_PACKETS:
                        raise SourceLost(f"{bad} packets in a row do not decode") from None
                    continue
                for frame in decoded:
                    bad = 0
                    yield CapturedFrame(
                        datetime.now(UTC), time.monotonic(), 0.0, load=partial(to_bgr, frame)
                    )
        except (av.FFmpegError, OSError) as error:
            raise SourceLost(error.strerror or type(error).__name__) from None
        raise SourceLost("the camera ended the stream")


def _refuse_link_local(uri: str) -> None:
    """Look the name up before FFmpeg does.

    Raises:
        SourceLost: the address is link-local, or there is none.
    """
    try:
        found = socket.getaddrinfo(host_of(uri), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SourceLost("no host of that name") from None
    if any(is_link_local(str(place[4][0])) for place in found):
        raise SourceLost("the address is link-local: no camera is there", "refused-address")


def _lost(error: av.FFmpegError | OSError) -> SourceLost:
    reason: Reason = "unreachable"
    if isinstance(error, (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)):
        reason = "wrong-password"
    elif isinstance(error, av.error.HTTPNotFoundError):
        reason = "not-found"
    return SourceLost(error.strerror or type(error).__name__, reason)
