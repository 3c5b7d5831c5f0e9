"""The records a worker makes of one frame."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from services.kafka.outputs import OutRecord
from services.models.analysis import DetectedFace
from services.records import embeddings
from services.records.facestream_pb2 import DetectedFace as DetectedFaceRecord
from services.records.facestream_pb2 import Face, FrameRef, ModelPack, ProcessedFrame
from services.records.jpeg import encode_jpeg


def face_record(face: DetectedFace) -> Face:
    """A face as it goes on the wire."""
    record = Face(
        score=face.score,
        embedding=embeddings.to_bytes(face.embedding),
        sharpness=face.sharpness,
    )
    x, y, width, height = (float(value) for value in face.box_xywh)
    record.box.x, record.box.y, record.box.width, record.box.height = x, y, width, height
    for px, py in face.landmarks.tolist():
        record.landmarks.add(x=px, y=py)
    return record


def frame_outputs(
    ref: FrameRef,
    jpeg: bytes,
    faces: Sequence[DetectedFace],
    models: ModelPack,
    *,
    processed_topic: str,
    detected_topic: str,
    crop_quality: int,
) -> list[OutRecord]:
    """The frame for `frames.processed` and one record per face for `faces.detected`.

    Both are keyed by camera, so that everything of one camera stays in order behind the worker.
    """
    key = ref.camera.encode()
    records = [face_record(face) for face in faces]
    processed = ProcessedFrame(frame=ref, jpeg=jpeg, faces=records, models=models)
    processed.processed_at.FromDatetime(datetime.now(UTC))
    outputs = [OutRecord(processed_topic, key, processed.SerializeToString())]
    for index, (face, record) in enumerate(zip(faces, records, strict=True)):
        detected = DetectedFaceRecord(
            frame=ref,
            index=index,
            face=record,
            crop=encode_jpeg(face.crop, crop_quality),
            models=models,
        )
        outputs.append(OutRecord(detected_topic, key, detected.SerializeToString()))
    return outputs
