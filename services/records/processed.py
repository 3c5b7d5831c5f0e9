"""Reading `frames.processed` and `faces.detected`: Protobuf, trusted only after a look."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from services.errors import RecordError
from services.records import frames
from services.records.faces import check_faces
from services.records.facestream_pb2 import DetectedFace, ProcessedFrame

_M = TypeVar("_M", ProcessedFrame, DetectedFace)


def _parse(kind: type[_M], value: bytes | None) -> _M:
    if not value:
        raise RecordError("empty", "the record has no value")
    record: _M = kind()
    try:
        record.ParseFromString(value)
    except DecodeError:
        name = _name(record)
        raise RecordError("not-protobuf", f"{len(value)} bytes that are no {name}") from None
    frames.from_ref(record.frame)
    return record


def parse_processed(value: bytes | None) -> ProcessedFrame:
    """Read a record of `frames.processed`.

    Raises:
        RecordError: `empty`, `not-protobuf`, `bad-frame-ref` or `bad-face`.
    """
    record = _parse(ProcessedFrame, value)
    check_faces(record.faces)
    return record


def parse_detected(value: bytes | None) -> DetectedFace:
    """Read a record of `faces.detected`.

    Raises:
        RecordError: `empty`, `not-protobuf`, `bad-frame-ref` or `bad-face`.
    """
    record = _parse(DetectedFace, value)
    check_faces([record.face])
    return record


def _name(record: Message) -> str:
    return str(record.DESCRIPTOR.name)
