"""JPEG: the size from the header alone, and nothing hostile gets past the checks."""

from __future__ import annotations

import resource
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.errors import RecordError
from services.records.jpeg import check_jpeg, decode_jpeg, encode_jpeg, jpeg_size
from tests.refusals import tried

MAX_BYTES = 8_000_000
MAX_PIXELS = 50_000_000

_RNG = np.random.default_rng(1)
PICTURE = _RNG.integers(0, 256, (48, 64, 3), np.uint8)
JPEG = encode_jpeg(PICTURE, 80)
_, _progressive = cv2.imencode(".jpg", PICTURE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
PROGRESSIVE = _progressive.tobytes()


def decode(data: bytes) -> np.ndarray:
    return decode_jpeg(data, max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS)


def reason(data: bytes, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> str:
    with pytest.raises(RecordError) as caught:
        decode_jpeg(data, max_bytes=max_bytes, max_pixels=max_pixels)
    return caught.value.reason


def claiming(width: int, height: int, data: bytes = JPEG) -> bytes:
    """The picture with another size in its header."""
    bomb = bytearray(data)
    at = bomb.index(b"\xff\xc0") + 5
    bomb[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(bomb)


@given(st.integers(1, 300), st.integers(1, 300), st.booleans())
@settings(max_examples=30)
def test_the_size_is_that_of_the_decoded_picture(width: int, height: int, grey: bool) -> None:
    pixels = np.zeros((height, width) if grey else (height, width, 3), np.uint8)
    _, data = cv2.imencode(".jpg", pixels)
    assert jpeg_size(data.tobytes()) == (width, height)
    assert decode(data.tobytes()).shape == (height, width, 3)


def test_real_photos_have_the_size_that_opencv_sees(test_data: Path) -> None:
    photos = sorted((test_data / "group_bbt").rglob("*.jpg"))
    photos += sorted((test_data / "pach_seed").rglob("*.jpg"))
    assert len(photos) > 10
    for photo in photos:
        data = photo.read_bytes()
        image = decode(data)
        assert jpeg_size(data) == (image.shape[1], image.shape[0]), photo.name


def test_progressive_and_fill_bytes_and_padding_are_fine() -> None:
    assert decode(PROGRESSIVE).shape == PICTURE.shape
    assert jpeg_size(JPEG[:2] + b"\xff\xff\xff" + JPEG[2:]) == (64, 48)
    assert decode(JPEG + bytes(100)).shape == PICTURE.shape


def test_the_exif_orientation_is_left_alone() -> None:
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    exif = b"Exif\x00\x00" + tiff + bytes(4)
    turned = JPEG[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + JPEG[2:]
    assert decode(turned).shape == PICTURE.shape
    assert jpeg_size(turned) == (64, 48)


def test_a_header_of_thirty_thousand_by_thirty_thousand_allocates_nothing() -> None:
    bomb = claiming(30_000, 30_000)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert reason(bomb) == "too-many-pixels"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50_000


def test_each_refusal_has_its_reason() -> None:
    assert reason(b"") == "empty"
    assert reason(b"hello") == "not-a-jpeg"
    assert reason(b"\x89PNG\r\n\x1a\n" + bytes(100)) == "not-a-jpeg"
    assert reason(b"\xff\xd8") == "truncated-jpeg"
    assert reason(JPEG[:100]) == "truncated-jpeg"
    assert reason(JPEG[: len(JPEG) // 2]) == "truncated-jpeg"
    assert reason(b"\xff\xd8\xff\xd9\x00\x00") == "not-a-jpeg"
    assert reason(claiming(0, 48)) == "not-a-jpeg"
    assert reason(JPEG, max_bytes=100) == "too-many-bytes"
    assert reason(JPEG, max_pixels=64 * 48 - 1) == "too-many-pixels"
    at = JPEG.index(b"\xff\xdb")
    assert reason(JPEG[:at] + JPEG[at + 69 :]) == "corrupt-jpeg"


def test_a_progressive_jpeg_of_endless_scans_is_refused_before_it_is_decoded() -> None:
    at = PROGRESSIVE.rindex(b"\xff\xda")
    scan = PROGRESSIVE[at:-2]
    assert reason(PROGRESSIVE[:-2] + scan * 200 + b"\xff\xd9") == "too-many-scans"


@pytest.mark.parametrize("whole", [JPEG, PROGRESSIVE])
def test_every_truncation_is_refused(whole: bytes) -> None:
    for length in range(0, len(whole) - 2, 7):
        assert reason(whole[:length]) in {"empty", "not-a-jpeg", "truncated-jpeg"}


@given(st.binary(max_size=200), st.booleans())
def test_hostile_bytes_raise_nothing_but_record_errors(data: bytes, as_jpeg: bool) -> None:
    with pytest.raises(RecordError):
        decode((b"\xff\xd8\xff" if as_jpeg else b"") + data)


@given(
    st.sampled_from([JPEG, PROGRESSIVE]),
    st.lists(st.tuples(st.integers(2, len(JPEG) - 1), st.integers(0, 255)), min_size=1, max_size=6),
)
@settings(max_examples=200)
def test_a_real_jpeg_with_wrong_bytes_decodes_to_its_size_or_is_a_record_error(
    whole: bytes, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(whole)
    for at, value in changes:
        data[at % len(data)] = value
    hostile = bytes(data)
    size, _ = tried(lambda: check_jpeg(hostile, max_bytes=MAX_BYTES, max_pixels=1_000_000))
    image, why = tried(lambda: decode_jpeg(hostile, max_bytes=MAX_BYTES, max_pixels=1_000_000))
    if image is None:
        assert size is None or why == "corrupt-jpeg"
    else:
        assert size is not None
        assert image.shape == (size[1], size[0], 3)
        assert image.dtype == np.uint8
