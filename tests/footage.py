"""Identified frames for tests of the viewer: real JPEGs, as the identifier would publish them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import cv2
from confluent_kafka import Producer

from services.records import identified
from services.records.facestream_pb2 import Box, FrameRef, IdentifiedFace, IdentifiedFrame

CLIP_SIZE = (640, 360)


def clip_jpegs(test_data: Path, most: int = 60) -> list[bytes]:
    """The first frames of a real clip, as JPEGs."""
    capture = cv2.VideoCapture(str(test_data / "clip_hamilton" / "clip.mp4"))
    jpegs: list[bytes] = []
    while len(jpegs) < most:
        there, image = capture.read()
        if not there:
            break
        image = cv2.resize(image, CLIP_SIZE)
        jpegs.append(cv2.imencode(".jpg", image)[1].tobytes())
    capture.release()
    return jpegs


def face(
    slug: str = "", name: str = "", x: float = 120, similarity: float = 0.61
) -> IdentifiedFace:
    """A face of 90 x 110 pixels; without a slug, an unknown one."""
    return IdentifiedFace(
        box=Box(x=x, y=80, width=90, height=110),
        score=0.9,
        person=slug,
        name=name,
        similarity=similarity,
    )


@dataclass
class FakeCamera:
    """Publishes frames of one camera straight to `faces.identified`."""

    producer: Producer
    topic: str
    name: str
    jpegs: list[bytes]
    faces: list[IdentifiedFace] = field(default_factory=list)
    session: str = field(default_factory=lambda: str(uuid.uuid4()))
    seq: int = 0

    def __post_init__(self) -> None:
        self._pictures: Iterator[bytes] = cycle(self.jpegs)

    def send(self, *, seq: int | None = None, late: bool = False) -> int:
        """Publish one frame and wait until the broker has it; returns its number."""
        number = self.seq if seq is None else seq
        self.seq = max(self.seq, number + 1)
        width, height = CLIP_SIZE
        reference = FrameRef(
            camera=self.name,
            session=self.session,
            seq=number,
            width=width,
            height=height,
            source="live:device",
        )
        reference.captured_at.FromDatetime(datetime.now(UTC))
        frame = IdentifiedFrame(frame=reference, faces=self.faces, late=late)
        headers = identified.to_headers(frame)
        self.producer.produce(
            self.topic, value=next(self._pictures), key=self.name.encode(), headers=list(headers)
        )
        assert self.producer.flush(10) == 0
        return number


def play(cameras: Iterable[FakeCamera], fps: float, until: float) -> None:
    """Publish from every camera at a rate until a moment of `time.monotonic`."""
    cameras = list(cameras)
    due = time.monotonic()
    while time.monotonic() < until:
        for camera in cameras:
            camera.send()
        due += 1 / fps
        time.sleep(max(0.0, due - time.monotonic()))
