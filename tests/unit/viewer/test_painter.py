from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from services.errors import RecordError
from services.lifecycle import metrics
from services.records.jpeg import Image, decode_jpeg, encode_jpeg, jpeg_size
from tests.unit.viewer.pictures import grey, mark, noise, picture
from viewer.board import Key, View
from viewer.lettering import Lettering
from viewer.painter import BOUNDARY, Brush, Painter, multipart
from viewer.pictures import MOST_DRAWN, Drawing, Mark, Picture, Rendering, Style

LIMIT = 10_000_000


def view(shown: Picture | None, *caption: str) -> View:
    return View(Key("camera", "hall"), shown, caption, 1)


def with_painter(
    scene: Callable[[Painter], Awaitable[None]], *, blur_unknown: bool = False
) -> float:
    """Runs a scene; returns how many frames were drawn in it."""

    async def run() -> None:
        brush = Brush(80, 1_920, LIMIT, LIMIT)
        painter = Painter(brush, Lettering(), blur_unknown=blur_unknown)
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


def noisy(*marks: Mark, crowded: bool = False) -> Picture:
    """A picture in which a blur shows."""
    shown = picture(1, "hall", *marks, jpeg=noise())
    shown.crowded = crowded
    return shown


def is_blurred(jpeg: bytes, mark: Mark) -> bool:
    x, y, w, h = (round(number) for number in mark.box)
    inside = decode(jpeg)[y + h // 3 : y + h * 2 // 3, x + w // 3 : x + w * 2 // 3]
    return bool(np.abs(np.diff(inside.astype(int), axis=1)).mean() < 5)


SAM, STRANGER, SEVENTH = mark("sam", "Sam", 20), mark(x=120), mark("", "Unknown 7", 220)
BARE = Style(names=False, boxes=False)


def test_names_and_boxes_can_be_left_out_each_by_itself() -> None:
    async def scene(painter: Painter) -> None:
        shown = view(noisy(SAM))
        styles = [Style(names, boxes) for names in (True, False) for boxes in (True, False)]
        jpegs = [(await painter.render(shown, 0, style)).jpeg for style in styles]
        assert len(set(jpegs)) == 4
        assert jpegs[-1] == noisy(SAM).jpeg

    assert with_painter(scene) == 3


def test_unknown_heads_are_blurred_with_a_number_or_without_and_known_ones_are_not() -> None:
    async def scene(painter: Painter) -> None:
        shown = view(noisy(SAM, STRANGER, SEVENTH))
        jpeg = (await painter.render(shown, 0, BARE._replace(blur=True))).jpeg
        assert is_blurred(jpeg, STRANGER)
        assert is_blurred(jpeg, SEVENTH)
        assert not is_blurred(jpeg, SAM)
        clear = (await painter.render(shown, 0, BARE)).jpeg
        assert not is_blurred(clear, STRANGER)

    assert with_painter(scene) == 1


def test_under_the_policy_no_style_and_no_size_shows_an_unknown_head() -> None:
    async def scene(painter: Painter) -> None:
        picture = noisy(SAM, STRANGER)
        for names in (True, False):
            for boxes in (True, False):
                style = Style(names, boxes, blur=False)
                jpeg = (await painter.render(view(picture), 0, style)).jpeg
                assert is_blurred(jpeg, STRANGER)
        small = decode((await painter.render(view(picture), 160, BARE)).jpeg)
        assert np.abs(np.diff(small[35:55, 65:80].astype(int), axis=1)).mean() < 5
        stale = (await painter.render(view(picture, "no signal"))).jpeg
        assert np.abs(np.diff(decode(stale)[64:70, 124:176].astype(int), axis=1)).mean() < 5

    with_painter(scene, blur_unknown=True)


def test_beside_a_known_face_a_stranger_is_blurred_in_its_small_picture_too() -> None:
    close = Mark((30, 60, 60, 70), "", "", 0)

    async def scene(painter: Painter) -> None:
        shown = View(Key("person", "sam"), noisy(SAM, close), (), 1)
        clear, blurred = await painter.face(shown), await painter.face(shown, Style(blur=True))
        assert clear is not None
        assert blurred is not None
        rough = [
            np.abs(np.diff(decode(face.jpeg).astype(int), axis=1)).mean()
            for face in (clear, blurred)
        ]
        assert rough[1] < rough[0] / 3

    with_painter(scene)


def test_where_there_are_more_faces_than_marks_everything_is_blurred() -> None:
    async def scene(painter: Painter) -> None:
        shown = view(noisy(SAM, crowded=True))
        assert is_blurred((await painter.render(shown, 0, BARE._replace(blur=True))).jpeg, SAM)

    with_painter(scene)


def test_styles_that_come_to_the_same_share_one_drawing() -> None:
    async def scene(painter: Painter) -> None:
        known, empty = view(noisy(SAM)), view(noisy())
        assert await painter.render(known, 0, Style(blur=True)) is await painter.render(known)
        for style in (Style(), BARE, Style(blur=True)):
            assert (await painter.render(empty, 0, style)).jpeg == noisy().jpeg

    assert with_painter(scene) == 1


def test_fifty_who_watch_in_three_styles_cost_three_drawings() -> None:
    async def scene(painter: Painter) -> None:
        shown = view(noisy(SAM, STRANGER))
        styles = (Style(), Style(names=False), Style(blur=True))
        await asyncio.gather(*(painter.render(shown, 0, styles[at % 3]) for at in range(50)))

    assert with_painter(scene) == 3


def test_who_asks_for_every_width_and_style_gets_the_nearest_that_there_is() -> None:
    async def scene(painter: Painter) -> None:
        large = picture(1, "hall", SAM, STRANGER, jpeg=encode_jpeg(grey(4_000, 100), 80))
        large.size = (4_000, 100)
        shown = view(large)
        styles = [
            Style(names, boxes, blur)
            for names in (True, False)
            for boxes in (True, False)
            for blur in (True, False)
        ]
        for style in styles:
            for width in (480, 320, 240, 960, 640, 160, 1_280, 0):
                await painter.render(shown, width, style)
        for style, nearest in ((styles[1], [240, 320, 960]), (styles[2], [480, 480, 480])):
            got = [(await painter.render(shown, width, style)).jpeg for width in (160, 300, 0)]
            assert [jpeg_size(jpeg)[0] for jpeg in got] == nearest

    # The first style in eight widths, the second in four, one of each other.
    assert with_painter(scene) == MOST_DRAWN + 6


def test_what_stands_for_a_drawing_is_as_blurred_as_it_was_to_be() -> None:
    async def scene(painter: Painter) -> None:
        shown = view(noisy(SAM, STRANGER))
        for width in range(MOST_DRAWN):
            kind = (width + 1, "", Style(blur=False))
            shown.picture.renderings[kind] = await_nothing(multipart(b"clear"))  # type: ignore[union-attr]
        assert is_blurred((await painter.render(shown, 0, Style(blur=True))).jpeg, STRANGER)
        assert (await painter.render(shown, 0, Style(blur=False))).jpeg == b"clear"

    assert with_painter(scene) == 1


def await_nothing(rendering: Rendering) -> Drawing:
    done: asyncio.Future[Rendering] = asyncio.get_running_loop().create_future()
    done.set_result(rendering)
    return Drawing(done)


def test_a_part_ends_with_the_boundary_so_that_browsers_show_it_at_once() -> None:
    async def scene(painter: Painter) -> None:
        rendering = await painter.render(view(picture(1)))
        assert rendering.part.endswith(b"\r\n--" + BOUNDARY + b"\r\n")
        assert rendering.part.startswith(b"Content-Type: image/jpeg\r\nContent-Length: ")

    with_painter(scene)


def decode(jpeg: bytes) -> Image:
    return decode_jpeg(jpeg, max_bytes=LIMIT, max_pixels=LIMIT)
