"""The schema keeps its promise: field numbers stay, generated code is that of the .proto."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from services.records import facestream_pb2
from tests.conftest import ROOT

# Add to it; what is here is in somebody's log and never changes.
_PUBLISHED = {
    "FrameRef": "camera session seq captured_at width height source topic partition offset",
    "ModelFile": "role name sha256",
    "ModelPack": "name files",
    "Box": "x y width height",
    "Point": "x y",
    "Face": "box landmarks score embedding sharpness",
    "ProcessedFrame": "frame jpeg faces models processed_at",
    "DetectedFace": "frame index face crop models",
    "IdentifiedFace": "box landmarks score person name similarity threshold reference",
    "IdentifiedFrame": "frame faces models gallery_version late",
}


def test_published_fields_keep_their_numbers() -> None:
    for message, fields in _PUBLISHED.items():
        descriptor = facestream_pb2.DESCRIPTOR.message_types_by_name[message]
        for number, name in enumerate(fields.split(), start=1):
            assert descriptor.fields_by_number[number].name == name, f"{message}.{name}"


def test_generated_code_is_that_of_the_schema() -> None:
    path = Path(ROOT / "scripts" / "generate.py")
    spec = importlib.util.spec_from_file_location("generate", path)
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = generate
    spec.loader.exec_module(generate)
    for file, text in generate.generated_code().items():
        assert (ROOT / file).read_text() == text
