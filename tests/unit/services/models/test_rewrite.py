from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from services.models.install import InstalledPack
from services.models.rewrite import Form, best_form, rewrite_recogniser
from tests.unit.services.models.places import tiny_model


def run(model: Path, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # the published file's wrong output shape is expected
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: batch})[0])


@pytest.fixture(scope="module")
def crops() -> NDArray[np.float32]:
    return np.random.default_rng(3).uniform(-1, 1, (5, 3, 112, 112)).astype(np.float32)


def test_the_max_form_of_the_real_recogniser_is_bit_identical(
    buffalo_s: InstalledPack, crops: NDArray[np.float32], tmp_path: Path
) -> None:
    target = tmp_path / "max.onnx"
    assert rewrite_recogniser(buffalo_s.recogniser.path, target, "max")
    assert np.array_equal(run(target, crops), run(buffalo_s.recogniser.path, crops))


def test_the_blocked_form_of_the_real_recogniser_turns_no_embedding(
    buffalo_s: InstalledPack, crops: NDArray[np.float32], tmp_path: Path
) -> None:
    target = tmp_path / "blocked.onnx"
    assert rewrite_recogniser(buffalo_s.recogniser.path, target, "blocked")
    ours, theirs = run(target, crops), run(buffalo_s.recogniser.path, crops)
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    assert ((ours * theirs).sum(axis=1) / norms).min() > 0.999999


@pytest.mark.parametrize("form", ["max", "blocked"])
def test_the_output_takes_any_batch_and_no_prelu_is_left(form: Form, tmp_path: Path) -> None:
    source, target = tmp_path / "a.onnx", tmp_path / "b.onnx"
    source.write_bytes(tiny_model([-2.0, 0.0, 0.5, 1.0]))
    assert rewrite_recogniser(source, target, form)
    model = onnx.load(str(target))
    assert "PRelu" not in {node.op_type for node in model.graph.node}
    assert model.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "N"
    batch = np.random.default_rng(0).normal(size=(7, 3, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(run(target, batch), run(source, batch), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", ["max", "blocked"])
def test_a_prelu_with_a_slope_above_one_is_left_alone(form: Form, tmp_path: Path) -> None:
    source, target = tmp_path / "a.onnx", tmp_path / "b.onnx"
    source.write_bytes(tiny_model([0.5, 1.5]))
    assert rewrite_recogniser(source, target, form)  # the output dimension still changes
    assert "PRelu" in {node.op_type for node in onnx.load(str(target)).graph.node}


def test_the_installed_pack_has_the_form_of_this_processor(buffalo_s: InstalledPack) -> None:
    operators = {node.op_type for node in onnx.load(str(buffalo_s.recogniser.fast_path)).graph.node}
    assert "PRelu" not in operators
    assert ("Max" in operators) == (best_form() == "max")
