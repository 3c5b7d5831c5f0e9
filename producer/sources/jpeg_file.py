"""Whether a JPEG file may be published as it is: baseline, upright, whole."""

from __future__ import annotations

import struct

_SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_BASELINE = 0xC0
_APP1, _SOS = 0xE1, 0xDA
_STANDALONE = {0x01, *range(0xD0, 0xDA)}
_ORIENTATION = 0x0112
_MOST_TAGS = 512


def as_it_is(data: bytes) -> bool:
    """Whether every reader shows this JPEG alike, without regard to EXIF or colour profiles.

    That is: Huffman-coded baseline, grey or three components, and not to be turned.
    """
    at = 2
    turned = False
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _SOS:
            return False
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        segment = data[at + 4 : at + 2 + length]
        if marker == _APP1 and segment.startswith(b"Exif\0\0"):
            turned = turned or exif_orientation(segment[6:]) != 1
        elif marker in _SOF:
            components = segment[5] if len(segment) > 5 else 0
            # EXIF comes before the frame header in every file that heeds the standard.
            return marker == _BASELINE and components in (1, 3) and not turned
        at += 2 + max(2, length)
    return False


def exif_orientation(tiff: bytes) -> int:
    """Orientation tag of an EXIF block (TIFF 6.0; EXIF 2.32, 4.6.4), 1 to 8; 1 where it is odd."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for number in range(min(count, _MOST_TAGS)):
            tag, _kind, _count, value = struct.unpack_from(
                f"{order}HHIH", tiff, first + 2 + 12 * number
            )
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
