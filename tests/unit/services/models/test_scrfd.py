from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from services.models.devices import candidates
from services.models.install import InstalledPack
from services.models.pixels import Image
from services.models.scrfd import Detections, Scrfd, overlap, suppress
from services.models.sessions import OnnxRuntimeSession

_side = st.floats(0, 500, width=32)
_boxes = st.lists(st.tuples(_side, _side, _side, _side, st.floats(0, 1, width=32)), max_size=30)


def detections(rows: list[tuple[float, ...]]) -> Detections:
    """From left, top, width, height, score."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    boxes = np.hstack([table[:, :2], table[:, :2] + table[:, 2:4]])
    return Detections(boxes, table[:, 4], np.zeros((len(table), 5, 2), np.float32))


@given(_boxes)
def test_of_overlapping_faces_the_best_stays_and_no_two_that_stay_overlap(
    rows: list[tuple[float, ...]],
) -> None:
    everyone = detections(rows)
    kept = suppress(everyone, 0.4)
    assert (np.diff(kept.scores) <= 0).all()
    for index in range(len(kept)):
        assert (overlap(kept.boxes[index], kept.boxes[index + 1 :]) <= 0.4).all()
    for box, score in zip(everyone.boxes, everyone.scores, strict=True):
        better = kept.take(kept.scores >= score)
        same = (better.boxes == box).all(axis=1)
        assert same.any() or (overlap(box, better.boxes) > 0.4).any()


@given(_boxes)
def test_suppressing_twice_changes_nothing(rows: list[tuple[float, ...]]) -> None:
    once = suppress(detections(rows), 0.4)
    assert np.array_equal(suppress(once, 0.4).boxes, once.boxes)


def test_overlap_is_intersection_over_union() -> None:
    box = np.array([0, 0, 10, 10], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [3, 3, 3, 3]], np.float32)
    np.testing.assert_allclose(overlap(box, others), [1, 1 / 3, 0, 0])


def test_a_batch_finds_what_single_frames_find(buffalo_s: InstalledPack, clip: list[Image]) -> None:
    (cpu,) = candidates("cpu")
    several = OnnxRuntimeSession(buffalo_s.detector.fast_path, cpu, 1)
    several.max_batch = 4
    batched = Scrfd(several, 0.5).detect(clip[:10], 640)
    single = [Scrfd(several, 0.5).detect([frame], 640)[0] for frame in clip[:10]]
    for one, other in zip(batched, single, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


def test_an_export_without_a_batch_dimension_finds_the_same(
    buffalo_s: InstalledPack, clip: list[Image], detector: Scrfd, tmp_path: Path
) -> None:
    """The upstream release's own detector file is such an export."""
    model = onnx.load(str(buffalo_s.detector.path))
    for output in model.graph.output:
        name = output.name
        for node in model.graph.node:
            node.output[:] = [f"{name}_batched" if out == name else out for out in node.output]
            node.input[:] = [f"{name}_batched" if out == name else out for out in node.input]
        model.graph.node.append(helper.make_node("Squeeze", [f"{name}_batched"], [name], axes=[0]))
        del output.type.tensor_type.shape.dim[0]
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, str(tmp_path / "flat.onnx"))
    (cpu,) = candidates("cpu")
    session = OnnxRuntimeSession(tmp_path / "flat.onnx", cpu, 1)
    session.max_batch = 4
    frames = clip[:6]
    for one, other in zip(
        Scrfd(session, 0.5).detect(frames, 640), detector.detect(frames, 640), strict=True
    ):
        assert np.array_equal(one.boxes, other.boxes)
        assert np.array_equal(one.landmarks, other.landmarks)


def test_a_portrait_and_a_landscape_of_one_scene_have_the_face_in_the_same_place(
    detector: Scrfd, photo: Callable[[str], Image]
) -> None:
    image = photo("clip_hamilton/ref/lin_manuel_miranda.png")
    face = detector.detect([image], 320)[0]
    wide = np.zeros((image.shape[0], image.shape[0] * 2, 3), np.uint8)
    wide[:, : image.shape[1]] = image[:, : wide.shape[1]]
    for scene, size in ((wide, 640), (np.ascontiguousarray(np.vstack([image, image * 0])), 640)):
        found = detector.detect([scene], size)[0]
        assert overlap(face.boxes[0], found.boxes).max() > 0.8


def test_pictures_of_odd_sizes_are_looked_at_without_error(detector: Scrfd) -> None:
    for shape in ((1, 1, 3), (1, 4000, 3), (3000, 2, 3), (33, 31, 3)):
        assert len(detector.detect([np.zeros(shape, np.uint8)], 640)[0]) == 0


def test_black_pictures_and_landscapes_have_no_face(
    detector: Scrfd, test_data: Path, photo: Callable[[str], Image]
) -> None:
    found = 0
    paths = sorted((test_data / "det_cmumit" / "nonface").glob("*.jpg"))[:20]
    for path in paths:
        found += len(detector.detect([photo(f"det_cmumit/nonface/{path.name}")], 640)[0])
    assert paths
    assert found <= 1
