"""A frame of `faces.identified`: the value is the JPEG, header `faces` says who is where."""

from __future__ import annotations

from confluent_kafka import Message
from google.protobuf import json_format

from services.errors import RecordError
from services.records import frames
from services.records import headers as h
from services.records.faces import check_faces
from services.records.facestream_pb2 import IdentifiedFrame

_MAX_HEADER_BYTES = 1_048_576


def to_headers(identified: IdentifiedFrame) -> h.Headers:
    """The frame's own headers and `faces`, the proto3 JSON of the whole message."""
    document = json_format.MessageToJson(
        identified, indent=None, always_print_fields_with_no_presence=True
    )
    return [*frames.to_headers(frames.from_ref(identified.frame)), ("faces", document.encode())]


def from_message(message: Message) -> IdentifiedFrame:
    """Read who is where from a record of `faces.identified` or of a person's topic.

    Raises:
        RecordError: `bad-header` when `faces` is absent or is not the JSON of an IdentifiedFrame,
            `bad-frame-ref` or `bad-face` when what it says cannot be.
    """
    document = h.text(h.read_headers(message), "faces", longest=_MAX_HEADER_BYTES)
    if document is None:
        raise RecordError("bad-header", "header faces is absent")
    try:
        identified = json_format.Parse(document, IdentifiedFrame(), ignore_unknown_fields=True)
    except (json_format.ParseError, RecursionError) as error:
        raise RecordError("bad-header", f"header faces: {error}"[:300]) from None
    frames.from_ref(identified.frame)
    check_faces(identified.faces)
    return identified
