"""Pictures as a source."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from producer.encoding import encode
from producer.sources import SourceOptions, open_source
from producer.sources.images import natural
from producer.sources.jpeg_file import as_it_is, exif_orientation
from services.errors import RecordError, SourceError
from tests.unit.producer.media import with_orientation, write_image
from tests.unit.producer.mjpeg import picture

OPTIONS = SourceOptions()


def names(uri: Path) -> list[int]:
    """Widths of the pictures, by which the tests tell them apart."""
    return [frame.load().shape[1] for frame in open_source(str(uri), OPTIONS).frames()]


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for number in (10, 2, 1):
        write_image(tmp_path / f"p{number}.png", width=20 + 2 * number)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "sub").mkdir()
    write_image(tmp_path / "sub" / "deep.png")
    return tmp_path


def test_a_directory_gives_its_pictures_in_natural_order(album: Path) -> None:
    assert names(album) == [22, 24, 40]


def test_a_glob_gives_what_it_matches(album: Path) -> None:
    assert names(album / "p1*.png") == [22, 40]
    assert names(album / "**" / "*.png") == [22, 24, 40, 64]


def test_a_single_picture_is_one_frame(album: Path) -> None:
    source = open_source(str(album / "p2.png"), OPTIONS)
    assert (source.kind, source.is_live, source.total_frames) == ("images", False, 1)
    assert len(list(source.frames())) == 1


def test_pictures_have_positions_only_when_they_have_a_rate(album: Path) -> None:
    assert [f.position_s for f in open_source(str(album), OPTIONS).frames()] == [0, 0, 0]
    timed = open_source(str(album), SourceOptions(images_fps=2)).frames()
    assert [frame.position_s for frame in timed] == [0, 0.5, 1]


@pytest.mark.parametrize("uri", ["nothing/*.jpg", "gone.jpg"])
def test_no_picture_is_a_source_error(tmp_path: Path, uri: str) -> None:
    with pytest.raises(SourceError, match="no picture there"):
        open_source(str(tmp_path / uri), OPTIONS)


def test_an_upright_baseline_jpeg_keeps_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    for jpeg in (picture(), with_orientation(picture(), 1)):
        path.write_bytes(jpeg)
        (frame,) = open_source(str(path), OPTIONS).frames()
        assert encode(frame, max_side_px=0, quality=90).jpeg == jpeg


def test_a_progressive_jpeg_becomes_baseline(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.jpg", 64, 48, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert not as_it_is(path.read_bytes())
    (frame,) = open_source(str(path), OPTIONS).frames()
    assert as_it_is(encode(frame, max_side_px=0, quality=90).jpeg)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_picture_is_turned_upright(tmp_path: Path, orientation: int, order: str) -> None:
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:, 32:] = 255
    upright[:24] //= 2
    stored = {
        2: cv2.flip(upright, 1),
        3: cv2.rotate(upright, cv2.ROTATE_180),
        4: cv2.flip(upright, 0),
        5: cv2.transpose(upright),
        6: cv2.rotate(upright, cv2.ROTATE_90_COUNTERCLOCKWISE),
        7: cv2.rotate(cv2.transpose(upright), cv2.ROTATE_180),
        8: cv2.rotate(upright, cv2.ROTATE_90_CLOCKWISE),
    }[orientation]
    done, jpeg = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert done
    (tmp_path / "a.jpg").write_bytes(with_orientation(jpeg.tobytes(), orientation, order))
    (frame,) = open_source(str(tmp_path / "a.jpg"), OPTIONS).frames()
    encoded = encode(frame, max_side_px=0, quality=95)
    shown = cv2.imdecode(np.frombuffer(encoded.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == upright.shape
    assert np.abs(shown.astype(int) - upright).mean() < 8


def test_odd_exif_is_taken_for_upright() -> None:
    for tiff in (b"", b"II", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"):
        assert exif_orientation(tiff) == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.jpg", b""),
        ("cut.jpg", picture(width=640, height=480)[:2_000]),
        ("text.png", b"this is no picture"),
        ("bomb.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0\0\xff\xff" * 2 + bytes(20)),
        ("bomb.jpg", picture()[:2] + b"\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03" + bytes(12)),
    ],
)
def test_a_picture_that_cannot_be_read_costs_only_itself(
    tmp_path: Path, name: str, data: bytes
) -> None:
    write_image(tmp_path / "a.png")
    (tmp_path / name).write_bytes(data)
    write_image(tmp_path / "z.png")
    good, bad, last = open_source(str(tmp_path), OPTIONS).frames()
    with pytest.raises(RecordError, match=name):
        encode(bad, max_side_px=0, quality=90)
    assert encode(good, max_side_px=0, quality=90).width == 64
    assert encode(last, max_side_px=0, quality=90).width == 64


def test_the_order_is_natural_and_total() -> None:
    ordered = ["a/9.jpg", "A/9a.jpg", "a/10.jpg", "a/x.jpg", "b/1.jpg", "٣.jpg"]
    paths = sorted((Path(name) for name in reversed(ordered)), key=natural)
    assert [str(path) for path in paths] == ordered


def test_real_pictures_all_come_through(test_data: Path) -> None:
    folder = test_data / "det_dlib"
    frames = list(open_source(str(folder), OPTIONS).frames())
    assert len(frames) == len(list(folder.glob("*.jpg"))) == 11
    for frame in frames:
        encoded = encode(frame, max_side_px=0, quality=90)
        image = cv2.imdecode(np.frombuffer(encoded.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert image.shape[:2] == (encoded.height, encoded.width)
