from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.errors import RecordError
from services.lifecycle import metrics
from services.records.jpeg import Image, decode_jpeg, jpeg_size
from tests.unit.viewer.pictures import mark, picture
from viewer.board import Key, View
from viewer.lettering import Lettering
from viewer.painter import BOUNDARY, Brush, Painter
from viewer.pictures import Picture

LIMIT = 10_000_000


def view(shown: Picture | None, *caption: str) -> View:
    return View(Key("camera", "hall"), shown, caption, 1)


def with_painter(scene: Callable[[Painter], Awaitable[None]]) -> float:
    """Runs a scene; returns how many frames were drawn in it."""

    async def run() -> None:
        painter = Painter(Brush(80, 1_920, LIMIT, LIMIT), Lettering())
        await scene(painter)
        painter.close()

    before = drawn()
    asyncio.run(run())
    return drawn() - before


def drawn() -> float:
    return metrics.REGISTRY.get_sample_value("facestream_viewer_drawn_frames_total") or 0.0


def test_fifty_who_watch_share_one_drawing() -> None:
    async def scene(painter: Painter) -> None:
        shown = view(picture(1, "hall", mark("sam", "Sam")))
        everyone = await asyncio.gather(*(painter.render(shown) for _ in range(50)))
        assert len({id(rendering) for rendering in everyone}) == 1

    assert with_painter(scene) == 1


def test_a_frame_without_faces_is_passed_on_as_it_came() -> None:
    async def scene(painter: Painter) -> None:
        shown = picture(1)
        assert (await painter.render(view(shown))).jpeg == shown.jpeg

    assert with_painter(scene) == 0


def test_a_smaller_copy_is_drawn_once_per_width_and_never_a_larger_one() -> None:
    async def scene(painter: Painter) -> None:
        shown = view(picture(1, "hall", mark("sam")))
        small = await painter.render(shown, 150)
        assert jpeg_size(small.jpeg) == (160, 90)
        assert await painter.render(shown, 155) is small
        whole = await painter.render(shown, 4_000)
        assert jpeg_size(whole.jpeg) == (320, 180)

    assert with_painter(scene) == 2


def test_a_picture_with_exif_is_encoded_anew_so_that_no_browser_turns_it() -> None:
    async def scene(painter: Painter) -> None:
        shown = picture(1)
        exif = b"\xff\xe1\x00\x0aExif\0\0ab"
        shown.jpeg = shown.jpeg[:2] + exif + shown.jpeg[2:]
        assert b"Exif" not in (await painter.render(view(shown))).jpeg

    assert with_painter(scene) == 1


def test_a_caption_is_written_over_a_dimmed_copy() -> None:
    async def scene(painter: Painter) -> None:
        shown = picture(60)
        live = decode((await painter.render(view(shown))).jpeg)
        stale = decode((await painter.render(view(shown, "no signal", "since noon"))).jpeg)
        assert stale.mean() < live.mean() * 0.6
        assert stale.max() > live.max()

    assert with_painter(scene) == 1


def test_a_person_not_seen_yet_has_a_placeholder() -> None:
    async def scene(painter: Painter) -> None:
        waiting = view(None, "waiting for Sam")
        first = await painter.render(waiting)
        assert jpeg_size(first.jpeg) == (640, 360)
        assert await painter.render(waiting) is first

    with_painter(scene)


def test_who_leaves_while_it_is_drawn_does_not_take_it_from_the_others() -> None:
    async def scene(painter: Painter) -> None:
        shown = view(picture(1, "hall", mark("sam")))
        leaving = asyncio.ensure_future(painter.render(shown))
        staying = asyncio.ensure_future(painter.render(shown))
        await asyncio.sleep(0)
        leaving.cancel()
        assert (await staying).jpeg.startswith(b"\xff\xd8")

    assert with_painter(scene) == 1


def test_a_frame_that_does_not_decode_is_an_error_for_everyone_who_wants_it() -> None:
    async def scene(painter: Painter) -> None:
        shown = view(picture(1, "hall", mark("sam"), jpeg=b"\xff\xd8 nonsense"))
        for _ in range(2):
            with pytest.raises(RecordError):
                await painter.render(shown)

    assert with_painter(scene) == 0


def test_a_face_is_cut_out_of_the_newest_frame() -> None:
    async def scene(painter: Painter) -> None:
        shown = View(Key("person", "sam"), picture(1, "hall", mark("sam")), (), 1)
        face = await painter.face(shown)
        assert face is not None
        assert jpeg_size(face.jpeg) == (96, 96)
        assert await painter.face(View(Key("person", "kim"), shown.picture, (), 1)) is None

    assert with_painter(scene) == 1


def test_a_part_ends_with_the_boundary_so_that_browsers_show_it_at_once() -> None:
    async def scene(painter: Painter) -> None:
        rendering = await painter.render(view(picture(1)))
        assert rendering.part.endswith(b"\r\n--" + BOUNDARY + b"\r\n")
        assert rendering.part.startswith(b"Content-Type: image/jpeg\r\nContent-Length: ")

    with_painter(scene)


def decode(jpeg: bytes) -> Image:
    return decode_jpeg(jpeg, max_bytes=LIMIT, max_pixels=LIMIT)
