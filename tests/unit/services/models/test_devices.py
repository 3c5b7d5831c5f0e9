from __future__ import annotations

import pytest

from services.errors import ModelError
from services.models.devices import candidates, describe_runtime, shadowing

CPU = ["CPUExecutionProvider"]
CUDA = ["CUDAExecutionProvider", "CPUExecutionProvider"]
TENSORRT = ["TensorrtExecutionProvider", *CUDA]


@pytest.mark.parametrize(
    ("device", "providers", "openvino", "expected"),
    [
        ("auto", CPU, False, ["cpu"]),
        ("auto", CPU, True, ["openvino", "cpu"]),
        ("auto", CUDA, True, ["cuda", "openvino", "cpu"]),
        ("auto", TENSORRT, False, ["cuda", "cpu"]),
        ("cpu", TENSORRT, True, ["cpu"]),
        ("cuda", CUDA, False, ["cuda"]),
        ("tensorrt", TENSORRT, False, ["tensorrt"]),
        ("openvino", CPU, True, ["openvino"]),
        ("openvino", ["OpenVINOExecutionProvider", *CPU], False, ["openvino"]),
    ],
)
def test_a_device_is_chosen_from_what_is_there(
    device: str, providers: list[str], openvino: bool, expected: list[str]
) -> None:
    assert [backend.device for backend in candidates(device, providers, openvino)] == expected


def test_openvino_itself_is_preferred_to_the_provider_of_onnx_runtime() -> None:
    (backend,) = candidates("openvino", ["OpenVINOExecutionProvider", *CPU], openvino=True)
    assert backend.native_openvino


@pytest.mark.parametrize(
    ("device", "what_to_install"),
    [("cuda", "facestream.gpu."), ("tensorrt", "TensorRT"), ("openvino", "facestream.openvino.")],
)
def test_a_device_that_is_not_there_is_refused_with_what_to_install(
    device: str, what_to_install: str
) -> None:
    with pytest.raises(ModelError, match=f"DEVICE={device} is not available.*{what_to_install}"):
        candidates(device, CPU, openvino=False)


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ModelError, match="not one of auto, cpu"):
        candidates("gpu", CPU, openvino=False)


def test_the_cpu_build_hiding_the_gpu_build_is_told_with_the_command_that_ends_it() -> None:
    installed = {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.0"}
    warning = shadowing(installed, CPU)
    assert warning is not None
    assert "hides the GPU build" in warning
    assert "pip uninstall -y onnxruntime &&" in warning
    assert "--no-deps onnxruntime-gpu==1.31.0" in warning


def test_one_distribution_hides_nothing() -> None:
    assert shadowing({"onnxruntime-gpu": "1.31.0"}, CUDA) is None


def test_the_runtime_of_this_machine_is_described() -> None:
    runtime = describe_runtime()
    assert runtime.distributions
    assert runtime.version in runtime.distributions.values()
    assert "CPUExecutionProvider" in runtime.providers
    assert {"auto", "cpu"} <= set(runtime.devices)
