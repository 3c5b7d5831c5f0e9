"""Pictures in, faces out: detect, align, embed, over a whole batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import structlog
from numpy.typing import NDArray

from services.errors import ModelError
from services.models.align import align_faces, sharpness_of
from services.models.arcface import ArcFace
from services.models.devices import candidates
from services.models.install import InstalledPack, ModelFile, ensure_pack
from services.models.pixels import Image
from services.models.scrfd import Detections, Scrfd, overlap, suppress
from services.models.sessions import ModelSession, open_session
from services.models.settings import ModelSettings

STREAM_SIZES_PX = (640, 160)
"""A face that fills a square picture is found at 160 in 63 of 63 photos, at 640 in none; the
second look costs a tenth of the first."""

PADDING_PX = 160
"""With this much black beside the picture all faces of a clip, those cut off by its edge too, come
out as from insightface's square (cosine at least 0.999); at 0 a frame costs 3 ms less."""

PHOTO_SIZES_PX = (640, 320, 160)

MIN_SCORE = 0.5
MAX_FACES = 200

_MAX_OVERLAP = 0.4
_FILLS_PICTURE = 0.3  # of the picture's longer side

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DetectedFace:
    """One face of one picture.

    Attributes:
        box_xywh: (4,) float32, pixels in the picture: left, top, width, height; inside it.
        landmarks: (5, 2) float32, pixels: eyes, nose, mouth corners.
        score: detection score, 0 to 1.
        embedding: (D,) float32, unit length.
        crop: (112, 112, 3) uint8 BGR, aligned.
        sharpness: variance of the Laplacian of the crop.
    """

    box_xywh: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float
    embedding: NDArray[np.float32] = field(repr=False)
    crop: NDArray[np.uint8] = field(repr=False)
    sharpness: float


class FaceAnalyser:
    """Finds and embeds faces with one model pack on one device.

    Not for several threads at once: every worker process has its own.

    Attributes:
        pack_name: name of the pack in the registry.
        threshold: the pack's default cosine threshold.
        model_files: the published files and their digests, for provenance.
        embedding_size: dimensions of an embedding.
        device: where it runs: cpu, cuda, tensorrt or openvino.
    """

    def __init__(
        self,
        installed: InstalledPack,
        detector: ModelSession,
        recogniser: ModelSession,
        *,
        sizes_px: Sequence[int] = STREAM_SIZES_PX,
        padding_px: int = PADDING_PX,
        min_score: float = MIN_SCORE,
        max_faces: int = MAX_FACES,
    ) -> None:
        cv2.setNumThreads(1)  # the models' threads are the only ones worth having
        self.pack_name = installed.pack.name
        self.threshold = installed.pack.threshold
        self.embedding_size = installed.pack.embedding_size
        self.model_files: tuple[ModelFile, ...] = installed.model_files
        self.device = detector.device
        self._detector = Scrfd(detector, min_score, _MAX_OVERLAP)
        self._recogniser = ArcFace(recogniser, self.embedding_size)
        self._sizes_px = tuple(sizes_px)
        self._padding_px = padding_px
        self._max_faces = max_faces

    @classmethod
    def load(
        cls,
        pack: str = "buffalo_s",
        device: str = "auto",
        threads: int = 1,
        models_dir: Path | None = None,
        models_path: Sequence[Path] = (),
        *,
        sizes_px: Sequence[int] = STREAM_SIZES_PX,
        padding_px: int = PADDING_PX,
        min_score: float = MIN_SCORE,
        max_faces: int = MAX_FACES,
    ) -> FaceAnalyser:
        """Install the pack where it is missing, open it on the device, and run it once.

        Args:
            pack: name in the registry.
            device: auto, cpu, cuda, tensorrt or openvino.
            threads: threads of each model on a CPU.
            models_dir: where packs are kept; the user's cache when None.
            models_path: directories that may hold the files already.
            sizes_px: longer sides of the picture at which a stream's frames are looked at.
            padding_px: black beside the picture at the first of them, see `Scrfd.detect`.
            min_score: detection score from which something is a face, 0 to 1.
            max_faces: most faces taken from one picture, best first.

        Raises:
            ModelError: the pack cannot be had, or the device is not there.
        """
        backends = candidates(device)
        installed = ensure_pack(pack, models_dir, models_path)
        for backend in backends:
            try:
                analyser = cls(
                    installed,
                    open_session(installed.detector, backend, threads),
                    open_session(installed.recogniser, backend, threads),
                    sizes_px=sizes_px,
                    padding_px=padding_px,
                    min_score=min_score,
                    max_faces=max_faces,
                )
            except ModelError as error:
                if backend is backends[-1]:
                    raise
                log.warning("device does not work, trying the next", reason=str(error))
                continue
            analyser._warm_up()
            log.info("models loaded", pack=pack, device=analyser.device, asked_for=device)
            return analyser
        raise ModelError(f"no backend for DEVICE={device}")

    @classmethod
    def from_settings(cls, settings: ModelSettings) -> FaceAnalyser:
        """`load`, as the settings of a service say."""
        return cls.load(
            settings.model_pack,
            settings.device,
            settings.inference_threads,
            settings.models_dir,
            tuple(Path(path) for path in settings.models_path),
            sizes_px=settings.detection_sizes,
            padding_px=settings.detection_padding,
            min_score=settings.detection_score,
            max_faces=settings.max_faces,
        )

    def analyse(self, images: Sequence[Image]) -> list[list[DetectedFace]]:
        """Find and embed the faces of a batch of frames.

        Pictures of one size are detected together, and the faces of all are embedded together.

        Args:
            images: (H, W, 3) uint8 BGR each, of any sizes.

        Returns:
            The faces of each picture, best first.

        Raises:
            ValueError: an image has another shape or dtype.
        """
        found: list[Detections | None] = [None] * len(images)
        by_size: dict[tuple[int, int], list[int]] = {}
        for index, image in enumerate(images):
            by_size.setdefault(_checked_size(image), []).append(index)
        for indices in by_size.values():
            same = [images[index] for index in indices]
            for index, faces in zip(indices, self._detect(same), strict=True):
                found[index] = faces
        return self._embed(images, [faces for faces in found if faces is not None])

    def analyse_photo(
        self, image: Image, sizes_px: Sequence[int] = PHOTO_SIZES_PX
    ) -> list[DetectedFace]:
        """Find and embed the faces of one photo, looked at in several sizes.

        Slower and more thorough than `analyse`: for enrolment, where a face may fill the picture.

        Args:
            image: (H, W, 3) uint8 BGR.
            sizes_px: longer sides at which to look; a face found at several is taken where its
                score is best.

        Raises:
            ValueError: the image has another shape or dtype.
        """
        _checked_size(image)
        looks = [self._detector.detect([image], size)[0] for size in sizes_px]
        return self._embed([image], [suppress(Detections.join(looks), _MAX_OVERLAP)])[0]

    def _detect(self, images: Sequence[Image]) -> list[Detections]:
        """Faces at the first size, and those filling the picture that only a smaller one shows."""
        first, *others = self._sizes_px
        found = self._detector.detect(images, first, self._padding_px)
        longest_px = max(images[0].shape[:2])
        for size in others:
            for index, extra in enumerate(self._detector.detect(images, size)):
                if len(extra):
                    found[index] = _add_large(found[index], extra, _FILLS_PICTURE * longest_px)
        return found

    def _embed(
        self, images: Sequence[Image], found: Sequence[Detections]
    ) -> list[list[DetectedFace]]:
        found = [faces.take(np.arange(min(len(faces), self._max_faces))) for faces in found]
        crops = [
            crop
            for image, faces in zip(images, found, strict=True)
            for crop in align_faces(image, faces.landmarks)
        ]
        embeddings = iter(zip(crops, self._recogniser.embed(crops), strict=True))
        return [
            [_face(image, faces, index, *next(embeddings)) for index in range(len(faces))]
            for image, faces in zip(images, found, strict=True)
        ]

    def _warm_up(self) -> None:
        """Run both models once, so that the first frame does not pay for lazy set-up."""
        self._detector.detect([np.zeros((360, 640, 3), np.uint8)], self._sizes_px[0])
        self._recogniser.embed([np.zeros((112, 112, 3), np.uint8)])


def _add_large(found: Detections, extra: Detections, min_px: float) -> Detections:
    """`found`, and the faces of `extra` that are large and in none of its places."""
    sides = (extra.boxes[:, 2:] - extra.boxes[:, :2]).max(axis=1)
    new = [
        index
        for index in np.flatnonzero(sides >= min_px)
        if not (overlap(extra.boxes[index], found.boxes) > _MAX_OVERLAP).any()
    ]
    return Detections.join([found, extra.take(np.array(new, np.intp))]) if new else found


def _face(
    image: Image,
    faces: Detections,
    index: int,
    crop: NDArray[np.uint8],
    embedding: NDArray[np.float32],
) -> DetectedFace:
    height, width = image.shape[:2]
    corners = faces.boxes[index].reshape(2, 2).clip(0, (width, height))
    return DetectedFace(
        box_xywh=np.concatenate([corners[0], corners[1] - corners[0]]).astype(np.float32),
        landmarks=faces.landmarks[index],
        score=float(faces.scores[index]),
        embedding=embedding,
        crop=crop,
        sharpness=sharpness_of(crop),
    )


def _checked_size(image: Image) -> tuple[int, int]:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"expected (H, W, 3) uint8, got {image.shape} {image.dtype}")
    return image.shape[0], image.shape[1]
