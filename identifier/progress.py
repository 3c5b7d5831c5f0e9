"""Whether a missing frame can still come: how far each raw partition has been read.

A producer writes the frames of a session in order, and each raw partition is read in order. So
once the partition a frame belongs to has yielded a later one, the missing frame was left out for
good: a worker skipped it or dead-lettered it. (What stream processors call a watermark.)
"""

from __future__ import annotations

import zlib

_EACH_UP_TO = 64


class RawProgress:
    """How far the frames of one session have been read, per raw partition.

    Which partition a missing frame went to is worked out the way librdkafka spreads keys (CRC-32
    modulo the number of partitions), for both keys a producer may use. Every frame that is seen
    puts that to the test; once it fails, a frame counts as left out only when *every* partition
    has yielded a later one.

    Args:
        camera: name of the camera.
        session: the producer's session.
        partitions: of the raw topic; None when unknown, then nothing is ever certain.
    """

    def __init__(self, camera: str, session: str, partitions: int | None) -> None:
        self._prefix = f"{camera}/{session}/"
        self._camera = camera
        self._partitions = partitions
        self._highest: dict[int, int] = {}
        self._keyed_by_frame = self._keyed_by_camera = True

    def saw(self, seq: int, partition: int) -> None:
        """Note a frame and the raw partition it came through."""
        if self._partitions is None:
            return
        if not 0 <= partition < self._partitions:
            self._partitions = None  # the topic has grown: its keys spread differently now
            return
        self._highest[partition] = max(self._highest.get(partition, -1), seq)
        self._keyed_by_frame &= partition == self._of_frame(seq)
        self._keyed_by_camera &= partition == self._of_camera()

    def passed(self, first: int, last: int) -> bool:
        """Whether none of the frames `first` to `last`, both missing, can still come."""
        if self._partitions is None or not self._highest:
            return False
        if not (self._keyed_by_frame or self._keyed_by_camera):
            return self._all_beyond(last)
        return (not self._keyed_by_frame or self._frames_passed(first, last)) and (
            not self._keyed_by_camera or self._beyond(self._of_camera(), last)
        )

    def _frames_passed(self, first: int, last: int) -> bool:
        if last - first >= _EACH_UP_TO:
            return self._all_beyond(last)
        return all(self._beyond(self._of_frame(seq), seq) for seq in range(first, last + 1))

    def _all_beyond(self, seq: int) -> bool:
        return all(self._beyond(partition, seq) for partition in range(self._partitions or 0))

    def _beyond(self, partition: int, seq: int) -> bool:
        return self._highest.get(partition, -1) > seq

    def _of_frame(self, seq: int) -> int:
        return zlib.crc32(f"{self._prefix}{seq}".encode()) % (self._partitions or 1)

    def _of_camera(self) -> int:
        return zlib.crc32(self._camera.encode()) % (self._partitions or 1)
