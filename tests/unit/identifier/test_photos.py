"""Photos are checked in the header before a pixel is decoded, and refused with a reason."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identifier.photos import EnrolmentError, read_photo
from tests.photos import jpeg_claiming, png_claiming

MAX_BYTES, MAX_PIXELS = 1_000_000, 1_000_000
JPEG = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
PNG = cv2.imencode(".png", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()


def reason(data: bytes) -> str:
    with pytest.raises(EnrolmentError) as caught:
        read_photo(data, max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS)
    return caught.value.reason


@pytest.mark.parametrize(("data", "media_type"), [(JPEG, "image/jpeg"), (PNG, "image/png")])
def test_a_sound_photo_is_read_upright(data: bytes, media_type: str) -> None:
    photo = read_photo(data, max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS)
    assert photo.media_type == media_type
    assert photo.size_px == (64, 48)
    assert len(photo.sha256) == 64
    assert "data" not in repr(photo)


@pytest.mark.parametrize(
    "image",
    [
        np.full((48, 64), 90, np.uint8),
        np.full((48, 64, 4), 90, np.uint8),
        np.full((48, 64, 3), 9000, np.uint16),
    ],
    ids=["grey", "transparent", "16 bits"],
)
def test_any_kind_of_png_becomes_three_channels_of_eight_bits(image: cv2.typing.MatLike) -> None:
    data = cv2.imencode(".png", image)[1].tobytes()
    pixels = read_photo(data, max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS).pixels
    assert (pixels.shape, pixels.dtype) == ((48, 64, 3), np.dtype(np.uint8))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "unreadable"),
        (np.random.default_rng(1).bytes(5_000), "unreadable"),
        (b"\xff\xd8" + np.random.default_rng(2).bytes(5_000), "unreadable"),
        (JPEG[: len(JPEG) // 2], "unreadable"),
        (JPEG[:20], "unreadable"),
        (PNG[: len(PNG) // 2], "unreadable"),
        (PNG[:20], "unreadable"),
        (png_claiming(0, 10), "unreadable"),
        (png_claiming(900, 900), "unreadable"),
        (png_claiming(30_000, 30_000), "too-large"),
        (png_claiming(2**31, 1), "too-large"),
        (jpeg_claiming(30_000, 30_000), "too-large"),
        (jpeg_claiming(65_535, 15), "too-large"),
        (bytes(MAX_BYTES + 1), "too-large"),
        (b"GIF89a" + bytes(100), "unsupported-format"),
        (bytes(4) + b"ftypheic" + bytes(100), "unsupported-format"),
        (b"RIFF\x00\x00\x00\x00WEBP" + bytes(100), "unsupported-format"),
        (b"<html>not a photo</html>", "unreadable"),
    ],
)
def test_what_is_no_photo_is_refused_with_a_reason(data: bytes, expected: str) -> None:
    assert reason(data) == expected


def test_a_decompression_bomb_is_refused_without_the_memory_for_it() -> None:
    tracemalloc.start()
    try:
        assert reason(png_claiming(30_000, 30_000)) == "too-large"
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_refusal_says_what_was_measured_and_what_is_allowed() -> None:
    with pytest.raises(EnrolmentError, match="2000 x 1000 pixels") as caught:
        read_photo(jpeg_claiming(2_000, 1_000), max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS)
    assert caught.value.measured == {"width_px": 2_000, "height_px": 1_000, "pixels": 2_000_000}
    assert caught.value.allowed == {"pixels": MAX_PIXELS}


@given(st.sampled_from([JPEG, PNG]), st.data())
def test_damage_anywhere_is_a_photo_or_a_reason_never_a_crash(
    sound: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(sound) - 1))] = data.draw(st.integers(0, 255))
    try:
        photo = read_photo(bytes(damaged), max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS)
    except EnrolmentError as error:
        refused = error.reason
    else:
        refused = ""
        assert photo.pixels.ndim == 3
    assert refused in ("", "unreadable", "too-large", "unsupported-format")
