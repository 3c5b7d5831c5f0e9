"""A camera frame as it lies in `frames.raw`: the JPEG is the value, the rest is here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from services.errors import RecordError
from services.records import headers as h
from services.records.facestream_pb2 import FrameRef

_CAMERA = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SEQ = 2**63 - 1
_MAX_SIDE_PX = 65_535
LIVE = "live:"
STORED = "stored:"


@dataclass(frozen=True, slots=True)
class FrameMeta:
    """What is known of a frame besides its pixels.

    Attributes:
        camera: name of the camera, see `valid_camera_name`.
        session: UUID of the producer's start; empty for a bare JPEG.
        seq: number of the frame in its session, from 0; the raw offset for a bare JPEG.
        captured_at: when it was taken, UTC.
        width: pixels.
        height: pixels.
        source: `live:` or `stored:` and what it is (device, rtsp, http, file, images, push);
            empty where nobody said.
    """

    camera: str
    session: str
    seq: int
    captured_at: datetime
    width: int
    height: int
    source: str

    @property
    def live(self) -> bool:
        """Whether a stale frame of this source may be skipped."""
        return self.source.startswith(LIVE)


def valid_camera_name(name: str) -> bool:
    """1 to 64 of the characters that topics, addresses and file names all allow.

    A name of dots alone is refused: it would mean a folder elsewhere.
    """
    return _CAMERA.fullmatch(name) is not None and name.strip(".") != ""


def raw_key(meta: FrameMeta, partition_by: str = "frame") -> bytes:
    """Key of `frames.raw`: by frame spreads one camera over all workers, by camera keeps order."""
    if partition_by == "camera":
        return meta.camera.encode()
    return f"{meta.camera}/{meta.session}/{meta.seq}".encode()


def to_headers(meta: FrameMeta) -> h.Headers:
    """Headers of a frame, in `frames.raw` and wherever its JPEG is the value."""
    return [
        ("camera", meta.camera.encode()),
        ("session", meta.session.encode()),
        ("seq", str(meta.seq).encode()),
        ("captured-at", h.rfc3339(meta.captured_at).encode()),
        ("width", str(meta.width).encode()),
        ("height", str(meta.height).encode()),
        ("source", meta.source.encode()),
    ]


def from_message(message: Message, size: tuple[int, int]) -> FrameMeta:
    """Read the metadata of a raw frame; a JPEG without headers, from any client, is a frame too.

    Args:
        message: a record of `frames.raw`.
        size: width and height in pixels, read from the JPEG: they win over the headers.

    Raises:
        RecordError: `bad-header` when a header that is there makes no sense, `bad-timestamp`
            when the record's own time has to do and does not.
    """
    headers = h.read_headers(message)
    seq = h.integer(headers, "seq", highest=_MAX_SEQ)
    offset = message.offset()
    return FrameMeta(
        camera=camera_of(message),
        session=h.text(headers, "session", longest=64) or "",
        seq=seq if seq is not None else (offset or 0),
        captured_at=captured_at(message),
        width=size[0],
        height=size[1],
        source=h.text(headers, "source", longest=64) or "",
    )


def camera_of(message: Message) -> str:
    """The camera a raw frame is of: its header, else its key, else `unknown`.

    Raises:
        RecordError: `bad-header` when the header is no camera name.
    """
    camera = h.text(h.read_headers(message), "camera")
    if camera is None:
        return _camera_from_key(message.key())
    if not valid_camera_name(camera):
        raise RecordError("bad-header", f"header camera={camera!r} is not a camera name")
    return camera


def captured_at(message: Message) -> datetime:
    """When the frame was taken, UTC; the record's own time where no header says.

    Raises:
        RecordError: `bad-header` when the header is no time, `bad-timestamp` when there is none
            and the record's own is impossible.
    """
    return h.timestamp(h.read_headers(message), "captured-at") or record_time(message)


def record_time(message: Message) -> datetime:
    """The record's own timestamp, UTC; now where the broker kept none.

    Raises:
        RecordError: `bad-timestamp` when it is outside the years 1 to 9999.
    """
    kind, milliseconds = message.timestamp()
    if kind == TIMESTAMP_NOT_AVAILABLE:
        return datetime.now(UTC)
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise RecordError("bad-timestamp", f"{milliseconds} ms since 1970") from None


def to_ref(meta: FrameMeta, message: Message) -> FrameRef:
    """The frame's name tag for every later record, with where its raw record lies."""
    ref = FrameRef(
        camera=meta.camera,
        session=meta.session,
        seq=meta.seq,
        width=meta.width,
        height=meta.height,
        source=meta.source,
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
    )
    ref.captured_at.FromDatetime(meta.captured_at)
    return ref


def from_ref(ref: FrameRef) -> FrameMeta:
    """The metadata carried by a `FrameRef`.

    Raises:
        RecordError: `bad-frame-ref` when it names no camera, no time or an impossible size.
    """
    if not valid_camera_name(ref.camera):
        raise RecordError("bad-frame-ref", "the frame names no valid camera")
    if ref.seq > _MAX_SEQ or not (0 < ref.width <= _MAX_SIDE_PX and 0 < ref.height <= _MAX_SIDE_PX):
        raise RecordError("bad-frame-ref", f"impossible seq or size of a frame of {ref.camera}")
    if not ref.HasField("captured_at"):
        raise RecordError("bad-frame-ref", f"a frame of {ref.camera} without a time")
    try:
        moment = ref.captured_at.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise RecordError("bad-frame-ref", f"impossible time of a frame of {ref.camera}") from None
    return FrameMeta(
        camera=ref.camera,
        session=ref.session[:64],
        seq=ref.seq,
        captured_at=moment,
        width=ref.width,
        height=ref.height,
        source=ref.source[:64],
    )


def _camera_from_key(key: bytes | None) -> str:
    name = _UNSAFE.sub("_", (key or b"")[:64].decode(errors="replace"))
    return name if valid_camera_name(name) else "unknown"
