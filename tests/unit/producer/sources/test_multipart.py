"""Reading `multipart/x-mixed-replace`, as cameras send it and as they should not."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.sources.frames import SourceLost
from producer.sources.multipart import boundary_of, parts

MANY_BYTES = 1_000_000


def body(*payloads: bytes, lengths: bool, boundary: bytes = b"frame") -> bytes:
    out = b"preamble to be ignored\r\n"
    for payload in payloads:
        out += b"--" + boundary + b"\r\nContent-Type: image/jpeg\r\n"
        if lengths:
            out += b"Content-Length: %d\r\n" % len(payload)
        out += b"\r\n" + payload + b"\r\n"
    return out + b"--" + boundary + b"--\r\n"


def read(data: bytes, limit: int = MANY_BYTES) -> list[bytes]:
    return [payload for _kind, payload in parts(io.BytesIO(data), b"frame", limit)]


@given(payloads=st.lists(st.binary(max_size=400), max_size=8))
def test_parts_with_a_length_come_out_as_they_went_in(payloads: list[bytes]) -> None:
    assert read(body(*payloads, lengths=True)) == payloads


@given(payloads=st.lists(st.binary(min_size=1, max_size=400), max_size=8))
def test_parts_without_a_length_come_out_as_they_went_in(payloads: list[bytes]) -> None:
    # A payload that holds the boundary's words cannot be sent this way at all.
    payloads = [b"\xff\xd8" + payload.replace(b"--", b"..") + b"\xff\xd9" for payload in payloads]
    assert read(body(*payloads, lengths=False)) == payloads


@given(data=st.binary(max_size=2_000))
def test_garbage_is_lost_or_nothing_and_never_hangs(data: bytes) -> None:
    with contextlib.suppress(SourceLost):
        read(data, limit=1_000)


@given(cut=st.integers(0, 200))
def test_a_stream_cut_anywhere_gives_only_whole_parts(cut: int) -> None:
    payloads = [b"\xff\xd8first\xff\xd9", b"\xff\xd8second one\xff\xd9"]
    for lengths in (True, False):
        got = read(body(*payloads, lengths=lengths)[:cut])
        assert got == payloads[: len(got)]


@pytest.mark.parametrize("lengths", [True, False])
def test_a_part_larger_than_allowed_is_not_read(lengths: bool) -> None:
    with pytest.raises(SourceLost, match=r"allowed 100|more than 100"):
        read(body(b"\xff" * 70_000, lengths=lengths), limit=100)


def test_a_length_that_is_no_number_is_refused() -> None:
    with pytest.raises(SourceLost, match="Content-Length"):
        read(b"--frame\r\nContent-Length: -5\r\n\r\nx")


def test_headers_without_end_are_refused() -> None:
    with pytest.raises(SourceLost, match="headers"):
        read(b"--frame\r\n" + b"X-Thing: 1\r\n" * 1_000)


def test_noise_without_a_boundary_is_refused() -> None:
    with pytest.raises(SourceLost, match="boundary"):
        read(b"\0" * 5_000, limit=1_000)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/x-mixed-replace; boundary=frame", b"frame"),
        ('multipart/x-mixed-replace;boundary="--my boundary"', b"my boundary"),
        ("multipart/x-mixed-replace; boundary=--BoundaryString", b"BoundaryString"),
        ("image/jpeg", None),
        ("multipart/x-mixed-replace", None),
        ("", None),
    ],
)
def test_the_boundary_is_found_in_the_content_type(content_type: str, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary
