"""Video files (mp4, mkv, avi, gif and whatever else FFmpeg reads), through PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from producer.addresses import Kind
from producer.sources.frames import CapturedFrame
from services.errors import SourceError
from services.records.jpeg import Image

_FALLBACK_FPS = 25.0
_MOST_GAP_S = 60.0
_SHORT_BY_S = 1.0
_GIF_TRAILER = b"\x3b"
_TURNS = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    -180: cv2.ROTATE_180,
    -90: cv2.ROTATE_90_CLOCKWISE,
}


class VideoFileSource:
    """Every frame of a file, once.

    Packets that do not decode are passed over; the file then fails at its end, saying how many
    there were, so that a damaged video gives what it has.

    Raises:
        SourceError: the file cannot be opened, or holds no video.
    """

    kind: Kind = "file"
    is_live = False

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._container = av.open(str(path), metadata_errors="ignore")
        except (av.FFmpegError, OSError) as error:
            raise SourceError(f"{path}: {error.strerror or 'cannot be opened'}") from None
        if not self._container.streams.video:
            self._container.close()
            raise SourceError(f"{path}: no video in it")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.total_frames: int | None = self._stream.frames or None
        self._bad = self._got = 0
        self._reached_s = 0.0

    def describe(self) -> str:
        """The file's path."""
        return str(self._path)

    def interrupt(self) -> None:
        """Nothing to do: a file does not wait."""

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def frames(self) -> Iterator[CapturedFrame]:
        """Every frame at its place in the file; positions begin at 0."""
        timeline = Timeline(self._stream)
        for frame in self._decoded():
            position_s, duration_s = timeline.place(frame)
            self._got += 1
            yield CapturedFrame(
                datetime.now(UTC), position_s, duration_s, load=partial(to_bgr, frame)
            )
        self._check_complete()

    def _decoded(self) -> Iterator[VideoFrame]:
        try:
            for packet in self._container.demux():
                if packet.dts is not None and packet.time_base is not None:
                    end = packet.dts + (packet.duration or 0)
                    self._reached_s = max(self._reached_s, float(end * packet.time_base))
                if packet.stream is not self._stream:
                    continue
                self._bad += packet.is_corrupt
                try:
                    yield from self._stream.decode(packet)
                except av.FFmpegError:
                    # What comes before the first key frame never decodes; that harms nobody.
                    self._bad += self._got > 0 and not packet.is_corrupt
        except av.FFmpegError as error:
            raise SourceError(
                f"{self._path}: broken after {self._got} frames: {error.strerror}"
            ) from None

    def _check_complete(self) -> None:
        expected = f" of {self.total_frames}" if self.total_frames else ""
        if not self._got:
            raise SourceError(f"{self._path}: no frame of it can be decoded")
        if self._bad:
            raise SourceError(
                f"{self._path}: broken: {self._got}{expected} frames read, "
                f"{self._bad} packets are damaged"
            )
        if self._cut_off():
            raise SourceError(
                f"{self._path}: broken: it ends early, after {self._got}{expected} frames"
            )

    def _cut_off(self) -> bool:
        if self._container.format.name == "gif":
            with self._path.open("rb") as file:
                file.seek(max(0, self._path.stat().st_size - 64))
                return _GIF_TRAILER not in file.read()
        if self._container.duration is None or "matroska" not in self._container.format.name:
            return False  # elsewhere FFmpeg reports the packet that the cut goes through
        start_s = max(0, self._container.start_time or 0) / av.time_base
        duration_s = self._container.duration / av.time_base
        missing_s = duration_s - (self._reached_s - start_s)
        return missing_s > max(_SHORT_BY_S, 0.05 * duration_s)


class Timeline:
    """Places frames on a line that begins at 0 and never turns back, whatever the file claims."""

    def __init__(self, stream: VideoStream) -> None:
        rate = stream.guessed_rate or stream.average_rate
        self._period_s = 1.0 / float(rate) if rate else 1.0 / _FALLBACK_FPS
        self._time_base = stream.time_base
        self._last_claim_s: float | None = None
        self._position_s = 0.0

    def place(self, frame: VideoFrame) -> tuple[float, float]:
        """Position and duration of the next frame, seconds."""
        claim_s = None if frame.pts is None else frame.time
        if self._last_claim_s is not None:
            step_s = self._period_s if claim_s is None else claim_s - self._last_claim_s
            # A step back or a leap is a splice in the file, not a pause.
            self._position_s += step_s if 0 <= step_s <= _MOST_GAP_S else self._period_s
            if claim_s is None:
                claim_s = self._last_claim_s + self._period_s
        self._last_claim_s = 0.0 if claim_s is None else claim_s
        duration_s = self._period_s
        if frame.duration and self._time_base:
            duration_s = min(_MOST_GAP_S, float(frame.duration * self._time_base))
        return self._position_s, duration_s


def to_bgr(frame: VideoFrame) -> Image:
    """Pixels of a decoded frame, (height, width, 3) uint8 BGR, turned the way it is shown."""
    image = frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
    turn = _TURNS.get(round(frame.rotation))
    return image if turn is None else cv2.rotate(image, turn).astype(np.uint8, copy=False)
