"""From a photo to a reference: exactly one face, large and clear enough, or the reason why not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from identifier.gallery.values import NewPhoto, PhotoReading
from identifier.photos import EnrolmentError, Photo, read_photo
from services.models.analysis import DetectedFace
from services.models.install import ModelFile
from services.records.jpeg import Image


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
    """

    min_face_px: float
    min_score: float
    max_bytes: int
    max_pixels: int


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

    def read(
        self, data: bytes, *, force: bool = False, folder: str = "", path: str = ""
    ) -> NewPhoto:
        """Turn a photo into what the gallery keeps.

        Args:
            data: the file's bytes.
            force: take a face although it is too small or too uncertain.
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

    def _loaded(self) -> PhotoAnalyser:
        if self._analyser is None:
            self._analyser = self._load()
        return self._analyser

    def _one(self, faces: Sequence[DetectedFace], force: bool) -> DetectedFace:
        if not faces:
            raise EnrolmentError(
                "no-face", "no face was found in the photo", {"faces": 0}, {"faces": 1}
            )
        good = [face for face in faces if self._flaw(face) is None]
        candidates = good or faces
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

    def _flaw(self, face: DetectedFace) -> EnrolmentError | None:
        side_px = round(float(min(face.box_xywh[2:])), 1)
        score = round(face.score, 3)
        if side_px < self._limits.min_face_px:
            return EnrolmentError(
                "face-too-small",
                f"the face is {side_px:g} pixels, at least {self._limits.min_face_px:g} are needed",
                {"face_px": side_px, "score": score},
                {"face_px": self._limits.min_face_px},
            )
        if score < self._limits.min_score:
            return EnrolmentError(
                "low-score",
                f"the face is uncertain ({score:g}), at least {self._limits.min_score:g} is needed",
                {"face_px": side_px, "score": score},
                {"score": self._limits.min_score},
            )
        return None


def _digest(analyser: PhotoAnalyser, role: str) -> str:
    return next(file.sha256 for file in analyser.model_files if file.role == role)


def _new_photo(
    photo: Photo, face: DetectedFace, analyser: PhotoAnalyser, folder: str, path: str
) -> NewPhoto:
    x, y, width, height = (float(value) for value in face.box_xywh)
    return NewPhoto(
        data=photo.data,
        sha256=photo.sha256,
        media_type=photo.media_type,
        size_px=photo.size_px,
        reading=PhotoReading(
            pack=analyser.pack_name,
            recogniser_sha256=_digest(analyser, "recogniser"),
            detector_sha256=_digest(analyser, "detector"),
            embedding=face.embedding,
            score=face.score,
            sharpness=face.sharpness,
            box_px=(x, y, width, height),
        ),
        folder=folder,
        path=path,
    )
