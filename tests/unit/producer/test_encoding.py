"""From a captured frame to the JPEG that is published."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.encoding import encode, shrink
from producer.sources.frames import CapturedFrame
from services.errors import RecordError
from services.records.jpeg import Image, decode_jpeg
from tests.unit.producer.mjpeg import picture


def never() -> Image:
    raise AssertionError("the picture was decoded")


def jpeg_frame(jpeg: bytes) -> CapturedFrame:
    load = partial(decode_jpeg, jpeg, max_bytes=1 << 24, max_pixels=1 << 24)
    return CapturedFrame(datetime.now(UTC), 0.0, 0.0, load=load, jpeg=jpeg)


def test_a_jpeg_that_fits_keeps_its_bytes_and_is_not_decoded() -> None:
    jpeg = picture(width=64, height=48)
    frame = CapturedFrame(datetime.now(UTC), 0.0, 0.0, load=never, jpeg=jpeg)
    for max_side_px in (0, 64, 4_000):
        encoded = encode(frame, max_side_px=max_side_px, quality=50)
        assert (encoded.jpeg, encoded.width, encoded.height) == (jpeg, 64, 48)


def test_a_jpeg_that_is_too_large_is_scaled_down() -> None:
    encoded = encode(jpeg_frame(picture(width=640, height=360)), max_side_px=320, quality=80)
    assert (encoded.width, encoded.height) == (320, 180)
    image = decode_jpeg(encoded.jpeg, max_bytes=1 << 24, max_pixels=1 << 24)
    assert image.shape == (180, 320, 3)


@given(width=st.integers(1, 300), height=st.integers(1, 300), side=st.integers(0, 300))
def test_scaling_never_enlarges_and_never_exceeds(width: int, height: int, side: int) -> None:
    image: Image = np.zeros((height, width, 3), np.uint8)
    got_height, got_width = shrink(image, side).shape[:2]
    assert 1 <= got_width <= width
    assert 1 <= got_height <= height
    assert max(got_width, got_height) == (
        min(side, max(width, height)) if side else max(width, height)
    )


def test_quality_is_heeded() -> None:
    rng = np.random.default_rng(1)
    image: Image = rng.integers(0, 255, (120, 160, 3), np.uint8)
    frame = CapturedFrame(datetime.now(UTC), 0.0, 0.0, load=lambda: image)
    low = encode(frame, max_side_px=0, quality=20)
    high = encode(frame, max_side_px=0, quality=95)
    assert len(low.jpeg) * 2 < len(high.jpeg)


@pytest.mark.parametrize("jpeg", [b"no jpeg at all", b"\xff\xd8\xff", picture()[:100]])
def test_what_is_no_picture_is_a_record_error(jpeg: bytes) -> None:
    with pytest.raises(RecordError):
        encode(jpeg_frame(jpeg), max_side_px=10, quality=80)


def test_a_frame_shows_no_pixels_in_its_repr() -> None:
    frame = jpeg_frame(picture())
    assert len(repr(frame)) < 250
    assert "xff" not in repr(encode(frame, max_side_px=0, quality=80))
