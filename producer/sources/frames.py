"""What a source of frames is: the seam between cameras of every kind and the publisher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from producer.addresses import Kind
from services.errors import RetriableError
from services.records.jpeg import Image

Reason = Literal["unreachable", "wrong-password", "not-found", "no-picture", "refused-address"]


class SourceLost(RetriableError):  # noqa: N818 - says what happened, like BrokerUnavailable
    """A live source does not answer, broke off or went silent: open it again later.

    Attributes:
        reason: the kind of trouble, for programs.
    """

    def __init__(self, message: str, reason: Reason = "unreachable") -> None:
        super().__init__(message)
        self.reason: Reason = reason


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """One frame as its source gave it.

    Attributes:
        captured_at: when it was taken from the source, UTC.
        position_s: where it stands in its own medium, seconds, never falling; for live
            sources a monotonic clock.
        duration_s: how long it is shown, seconds; 0 where nobody knows.
        load: gives the pixels, (height, width, 3) uint8 BGR, upright; a frame that is left
            out is never converted. Raises RecordError.
        jpeg: the picture as the source sent it, where that is a JPEG to publish as it is.
    """

    captured_at: datetime
    position_s: float
    duration_s: float
    load: Callable[[], Image] = field(repr=False)
    jpeg: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How sources are opened.

    Attributes:
        connect_timeout_s: longest wait for a network camera to answer.
        read_timeout_s: a network camera silent this long is lost.
        rtsp_transport: `tcp` or `udp`.
        images_fps: pictures per second; 0 is no rate at all.
        max_frame_bytes: largest JPEG taken from a network camera.
        link_local: whether a network camera may be at a link-local address, where clouds hand
            out credentials: not for addresses that came over the network.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    rtsp_transport: str = "tcp"
    images_fps: float = 0.0
    max_frame_bytes: int = 8_388_608
    link_local: bool = True


class FrameSource(Protocol):
    """A source that is open; made by `producer.sources.open_source`.

    Attributes:
        kind: what it is.
        total_frames: frames it has in all, None for what has no end or does not say.
    """

    kind: Kind
    total_frames: int | None

    @property
    def is_live(self) -> bool:
        """Whether it goes on by itself, so that a frame not taken is gone."""

    def frames(self) -> Iterator[CapturedFrame]:
        """Every frame in order; call it once.

        Raises:
            SourceLost: a live source broke off.
            SourceError: a file is broken; what could be read of it came before.
        """

    def describe(self) -> str:
        """The address without credentials."""

    def interrupt(self) -> None:
        """From another thread: end a read that waits, where that can be done."""

    def close(self) -> None:
        """Give up what is open; the thread that reads calls it."""
