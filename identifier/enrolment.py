"""From a photo to a reference: exactly one face, large and clear enough, or the reason why not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from identifier.gallery.values import NewPhoto, PhotoReading
from identifier.photos import EnrolmentError, Photo, read_photo
from identifier.tracks.quality import pose_deg
from services.models.analysis import DetectedFace
from services.models.install import ModelFile
from services.records.jpeg import Image

MAX_YAW_DEG = 70.0
"""Refuses true profiles: 9 of 1,246 photos (LFW and portraits). Two photos of one person have a
median cosine of 0.60 up to 50 degrees, 0.49 from there to 70, 0.48 beyond (8 pairs)."""

MAX_PITCH_DEG = 55.0
"""Every one of those photos is below, and up to 50 degrees none is the worse for it."""

MIN_SHARPNESS = 10.0
"""1,200 of 1,200 photos of LFW are above. Faces blurred to 7 to 10 have a median cosine of 0.69 to
the sharp photo, to 4 to 7 of 0.53, to 25 to 50 of 0.98."""

_SAME_FACE_OVERLAP = 0.3


class PhotoAnalyser(Protocol):
    """What finds and embeds the faces of a photo: `services.models.analysis.FaceAnalyser`."""

    pack_name: str
    model_files: tuple[ModelFile, ...]

    def analyse_photo(self, image: Image) -> list[DetectedFace]:
        """The faces of a photo, looked at in several sizes."""


@dataclass(frozen=True, slots=True)
class EnrolmentLimits:
    """What a reference photo has to be.

    Attributes:
        min_face_px: shorter side of the face's box.
        min_score: detection score, 0..1.
        max_bytes: of the file.
        max_pixels: width x height.
        max_yaw_deg: how far the face may look aside.
        max_pitch_deg: how far it may look up or down.
        min_sharpness: variance of the Laplacian of the aligned face.
    """

    min_face_px: float
    min_score: float
    max_bytes: int
    max_pixels: int
    max_yaw_deg: float = MAX_YAW_DEG
    max_pitch_deg: float = MAX_PITCH_DEG
    min_sharpness: float = MIN_SHARPNESS


class Enroller:
    """Reads photos, one at a time, from any thread.

    The models are loaded when the first photo comes: matching does not need them.

    Args:
        load: loads the models.
        limits: what a photo has to be.
    """

    def __init__(self, load: Callable[[], PhotoAnalyser], limits: EnrolmentLimits) -> None:
        self._load = load
        self._limits = limits
        self._lock = threading.Lock()
        self._analyser: PhotoAnalyser | None = None

    @property
    def recogniser_sha256(self) -> str:
        """Of the recogniser that reads the photos; loads the models.

        Raises:
            ModelError: they cannot be had.
        """
        with self._lock:
            return _digest(self._loaded(), "recogniser")

    @property
    def known_recogniser_sha256(self) -> str | None:
        """The same, None while no models are loaded; never waits."""
        analyser = self._analyser
        return None if analyser is None else _digest(analyser, "recogniser")

    def read(
        self, data: bytes, *, force: bool = False, folder: str = "", path: str = ""
    ) -> NewPhoto:
        """Turn a photo into what the gallery keeps.

        Args:
            data: the file's bytes.
            force: take a face although it is too small, uncertain, turned away or blurred.
            folder: the PEOPLE_DIR it lies in, if any.
            path: where in that folder.

        Raises:
            EnrolmentError: the photo cannot be used; says why and what was measured.
            ModelError: the models cannot be had.
        """
        with self._lock:
            limits = self._limits
            photo = read_photo(data, max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)
            analyser = self._loaded()
            face = self._one(analyser.analyse_photo(photo.pixels), force)
            return _new_photo(photo, face, analyser, folder, path)

    def read_again(
        self, data: bytes, box_px: tuple[float, float, float, float] | None
    ) -> PhotoReading:
        """Read a photo that was enrolled with other models; what they took is taken.

        Args:
            data: the file's bytes.
            box_px: x, y, width, height of the face that is meant; None for the surest.

        Raises:
            EnrolmentError: `no-face` there, or the file cannot be read any more.
            ModelError: the models cannot be had.
        """
        with self._lock:
            limits = self._limits
            photo = read_photo(data, max_bytes=limits.max_bytes, max_pixels=limits.max_pixels)
            analyser = self._loaded()
            faces = analyser.analyse_photo(photo.pixels)
            if box_px is not None:
                faces = [face for face in faces if _overlap(face, box_px) >= _SAME_FACE_OVERLAP]
                faces.sort(key=lambda face: _overlap(face, box_px), reverse=True)
            if not faces:
                raise EnrolmentError(
                    "no-face", "the face is not found again", {"faces": 0}, {"faces": 1}
                )
            return _reading(faces[0], analyser)

    def _loaded(self) -> PhotoAnalyser:
        if self._analyser is None:
            self._analyser = self._load()
        return self._analyser

    def _one(self, faces: Sequence[DetectedFace], force: bool) -> DetectedFace:
        if not faces:
            raise EnrolmentError(
                "no-face", "no face was found in the photo", {"faces": 0}, {"faces": 1}
            )
        candidates = [face for face in faces if self._counts(face)] or faces
        if len(candidates) > 1:
            raise EnrolmentError(
                "several-faces",
                f"{len(candidates)} faces were found in the photo: cut out the one that is meant",
                {"faces": len(candidates)},
                {"faces": 1},
            )
        if not force and (flaw := self._flaw(candidates[0])) is not None:
            raise flaw
        return candidates[0]

    def _counts(self, face: DetectedFace) -> bool:
        """Whether a face is one that may be meant; those behind it are small or uncertain."""
        large = round(float(min(face.box_xywh[2:])), 1) >= self._limits.min_face_px
        return large and round(face.score, 3) >= self._limits.min_score

    def _flaw(self, face: DetectedFace) -> EnrolmentError | None:
        limits = self._limits
        side_px = round(float(min(face.box_xywh[2:])), 1)
        score, sharpness = round(face.score, 3), round(face.sharpness, 1)
        yaw, pitch, roll = (round(angle, 1) for angle in pose_deg(face.landmarks.tolist()))
        measured = {
            "face_px": side_px,
            "score": score,
            "sharpness": sharpness,
            "yaw_deg": yaw,
            "pitch_deg": pitch,
            "roll_deg": roll,
        }
        if side_px < limits.min_face_px:
            return EnrolmentError(
                "face-too-small",
                f"the face is {side_px:g} pixels, at least {limits.min_face_px:g} are needed",
                measured,
                {"face_px": limits.min_face_px},
            )
        if score < limits.min_score:
            return EnrolmentError(
                "low-score",
                f"the face is uncertain ({score:g}), at least {limits.min_score:g} is needed",
                measured,
                {"score": limits.min_score},
            )
        if abs(yaw) > limits.max_yaw_deg or abs(pitch) > limits.max_pitch_deg:
            return EnrolmentError(
                "strong-pose",
                f"the face is turned {abs(yaw):g} degrees aside and {abs(pitch):g} up or down, "
                f"at most {limits.max_yaw_deg:g} and {limits.max_pitch_deg:g} are allowed",
                measured,
                {"yaw_deg": limits.max_yaw_deg, "pitch_deg": limits.max_pitch_deg},
            )
        if sharpness < limits.min_sharpness:
            return EnrolmentError(
                "blurred",
                f"the face is blurred (sharpness {sharpness:g}), "
                f"at least {limits.min_sharpness:g} is needed",
                measured,
                {"sharpness": limits.min_sharpness},
            )
        return None


def _digest(analyser: PhotoAnalyser, role: str) -> str:
    return next(file.sha256 for file in analyser.model_files if file.role == role)


def _new_photo(
    photo: Photo, face: DetectedFace, analyser: PhotoAnalyser, folder: str, path: str
) -> NewPhoto:
    return NewPhoto(
        data=photo.data,
        sha256=photo.sha256,
        media_type=photo.media_type,
        size_px=photo.size_px,
        reading=_reading(face, analyser),
        folder=folder,
        path=path,
    )


def _reading(face: DetectedFace, analyser: PhotoAnalyser) -> PhotoReading:
    x, y, width, height = (float(value) for value in face.box_xywh)
    return PhotoReading(
        pack=analyser.pack_name,
        recogniser_sha256=_digest(analyser, "recogniser"),
        detector_sha256=_digest(analyser, "detector"),
        embedding=face.embedding,
        score=face.score,
        sharpness=face.sharpness,
        box_px=(x, y, width, height),
        pose_deg=pose_deg(face.landmarks.tolist()),
    )


def _overlap(face: DetectedFace, box_px: tuple[float, float, float, float]) -> float:
    """Area that two boxes share by the area that they cover together."""
    x, y, width, height = (float(value) for value in face.box_xywh)
    wide = min(x + width, box_px[0] + box_px[2]) - max(x, box_px[0])
    high = min(y + height, box_px[1] + box_px[3]) - max(y, box_px[1])
    shared = max(0.0, wide) * max(0.0, high)
    return shared / max(1e-9, width * height + box_px[2] * box_px[3] - shared)
