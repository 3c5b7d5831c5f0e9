"""Make a camera's video: a clip brought to size, or a slow move over photos."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from services.cli.footage_recipe import Camera, Scene, View
from services.errors import SourceError

Image = NDArray[np.uint8]
"""(H, W, 3) uint8 BGR."""

# FFmpeg's own encoder is in every build of it, and cheap to play back.
_CODEC = "mpeg4"
_BIT_RATE = 4_000_000


def build_camera(camera: Camera, files: Mapping[str, Path], target: Path) -> None:
    """Write the camera's video.

    Args:
        camera: what it shows.
        files: where its clip or photos are, by name.
        target: the mp4 to write.

    Raises:
        SourceError: a file cannot be decoded, or a view lies outside its photo.
    """
    if camera.clip is not None:
        frames = _clip_frames(files[camera.clip], camera)
    else:
        frames = itertools.chain.from_iterable(
            _scene_frames(scene, _read_photo(files[scene.photo]), camera) for scene in camera.scenes
        )
    try:
        _write(frames, camera, target)
    except av.FFmpegError as error:
        raise SourceError(f"{target.name} cannot be made: {error}") from error


def glide(start: View, end: View, share: float) -> tuple[float, float, float]:
    """The view between two views, gently started and stopped.

    Args:
        start: left, top, width in pixels.
        end: the same.
        share: of the way, 0 to 1.
    """
    eased = (1 - math.cos(math.pi * share)) / 2
    left, top, width = (a + (b - a) * eased for a, b in zip(start, end, strict=True))
    return left, top, width


def _scene_frames(scene: Scene, photo: Image, camera: Camera) -> Iterator[Image]:
    out_width, out_height = camera.size
    height_px, width_px = photo.shape[:2]
    for left, top, width in scene.views:
        if left + width > width_px or top + width * out_height / out_width > height_px:
            raise SourceError(
                f"view {[left, top, width]} lies outside the {width_px}x{height_px} photo"
                f" {scene.photo}"
            )
    # Averaged down first: the sub-pixel move below samples, and would shimmer.
    scale = min(1.0, out_width / min(view[2] for view in scene.views))
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    steps = max(1, round(camera.seconds_per_view * camera.fps))
    for start, end in zip(scene.views, (*scene.views[1:], scene.views[0]), strict=True):
        for step in range(steps):
            x, y, span = (scale * value for value in glide(start, end, step / steps))
            zoom = out_width / span
            move = np.array([[zoom, 0, -x * zoom], [0, zoom, -y * zoom]], np.float32)
            yield _as_image(
                cv2.warpAffine(
                    small,
                    move,
                    camera.size,
                    flags=cv2.INTER_LINEAR,
                    borderMode=cv2.BORDER_REPLICATE,
                )
            )


def _clip_frames(path: Path, camera: Camera) -> Iterator[Image]:
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise SourceError(f"{path.name}: no video in it")
        stream = container.streams.video[0]
        every = max(1, round(float(stream.average_rate or camera.fps) / camera.fps))
        for frame in itertools.islice(container.decode(stream), 0, None, every):
            picture = _as_image(frame.to_ndarray(format="bgr24"))
            yield _as_image(cv2.resize(picture, camera.size, interpolation=cv2.INTER_CUBIC))


def _read_photo(path: Path) -> Image:
    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise SourceError(f"{path.name} is not a picture")
    return _as_image(picture)


def _as_image(picture: object) -> Image:
    return np.asarray(picture, np.uint8)


def _write(frames: Iterable[Image], camera: Camera, target: Path) -> None:
    with av.open(str(target), "w", format="mp4") as container:
        stream = container.add_stream(_CODEC, rate=Fraction(camera.fps))
        if not isinstance(stream, VideoStream):
            raise SourceError(f"{_CODEC} is no video codec here")
        stream.width, stream.height = camera.size
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = _BIT_RATE
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
