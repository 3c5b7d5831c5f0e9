from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.errors import ModelError
from services.models.analysis import FaceAnalyser
from services.models.devices import Backend, candidates, has_openvino
from services.models.install import InstalledPack
from services.models.pixels import Image
from services.models.sessions import ModelSession, OnnxRuntimeSession, open_session

needs_openvino = pytest.mark.skipif(
    not has_openvino(), reason="openvino is an extra and not installed here"
)


@pytest.fixture(params=["cpu", pytest.param("openvino", marks=needs_openvino)])
def recogniser(request: pytest.FixtureRequest, buffalo_s: InstalledPack) -> ModelSession:
    (backend,) = candidates(request.param)
    return open_session(buffalo_s.recogniser, backend, 1)


def test_a_batch_gives_what_its_items_give(recogniser: ModelSession) -> None:
    batch = np.random.default_rng(0).uniform(-1, 1, (3, 3, 112, 112)).astype(np.float32)
    (together,) = recogniser.run(batch)
    assert together.shape == (3, 512)
    assert together.dtype == np.float32
    alone = np.concatenate([recogniser.run(batch[index : index + 1])[0] for index in range(3)])
    norms = np.linalg.norm(together, axis=1) * np.linalg.norm(alone, axis=1)
    assert ((together * alone).sum(axis=1) / norms).min() > 0.9999


def test_an_output_stays_as_it_was_when_the_session_runs_again(recogniser: ModelSession) -> None:
    random = np.random.default_rng(1)
    first = random.uniform(-1, 1, (1, 3, 112, 112)).astype(np.float32)
    (kept,) = recogniser.run(first)
    copy = kept.copy()
    recogniser.run(random.uniform(-1, 1, (1, 3, 112, 112)).astype(np.float32))
    assert np.array_equal(kept, copy)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"no model")
    (cpu,) = candidates("cpu")
    with pytest.raises(ModelError, match=r"no\.onnx cannot be loaded on cpu"):
        OnnxRuntimeSession(tmp_path / "no.onnx", cpu, 1)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_device_that_does_not_come_up_is_an_error_with_its_remedy(
    buffalo_s: InstalledPack,
) -> None:
    cuda = Backend("cuda", ("CUDAExecutionProvider", "CPUExecutionProvider"), 8, "do this")
    with pytest.raises(ModelError, match="do this"):
        OnnxRuntimeSession(buffalo_s.detector.path, cuda, 1)


@needs_openvino
def test_openvino_finds_the_faces_of_onnx_runtime(
    analyser: FaceAnalyser, clip: list[Image]
) -> None:
    other = FaceAnalyser.load(device="openvino")
    assert other.device == "openvino"
    for ours, theirs in zip(other.analyse(clip[:30]), analyser.analyse(clip[:30]), strict=True):
        for one, same in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one.box_xywh, same.box_xywh, atol=0.1)
            assert one.embedding @ same.embedding > 0.999
