"""Run a network: one Protocol, with ONNX Runtime and OpenVINO behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.errors import ModelError
from services.models.devices import Backend
from services.models.install import InstalledFile

Tensor = NDArray[np.float32]


class ModelSession(Protocol):
    """A loaded network.

    Attributes:
        device: where it runs: cpu, cuda, tensorrt or openvino.
        max_batch: items worth giving to one call; more only costs memory.
    """

    device: str
    max_batch: int

    def run(self, batch: Tensor) -> list[Tensor]:
        """Run (N, 3, H, W) float32; the outputs in the order the model declares them."""
        ...


class OnnxRuntimeSession:
    """ONNX Runtime on the CPU, CUDA, TensorRT or its OpenVINO provider.

    Args:
        path: ONNX file.
        backend: the execution providers to use, in order.
        threads: intra-op threads. They do not spin: a waiting worker leaves the core to others.

    Raises:
        ModelError: the model cannot be loaded, or the device did not come up.
    """

    def __init__(self, path: Path, backend: Backend, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        providers = [(name, dict(_PROVIDER_OPTIONS.get(name, {}))) for name in backend.providers]
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # its exceptions share no base class but this
            raise ModelError(
                f"{path.name} cannot be loaded on {backend.device}: {error}"
            ) from error
        running = self._session.get_providers()[0]
        if running != backend.providers[0]:
            raise ModelError(
                f"{backend.device} was asked for, but ONNX Runtime came up with {running}:"
                f" {backend.remedy}"
            )
        self.device = backend.device
        self.max_batch = backend.max_batch
        self._input = self._session.get_inputs()[0].name

    def run(self, batch: Tensor) -> list[Tensor]:
        """See `ModelSession.run`."""
        return list(self._session.run(None, {self._input: batch}))


_PROVIDER_OPTIONS: dict[str, dict[str, str]] = {
    # An exhaustive search would run again for every new picture size.
    "CUDAExecutionProvider": {"cudnn_conv_algo_search": "HEURISTIC"},
    "TensorrtExecutionProvider": {"trt_engine_cache_enable": "1", "trt_fp16_enable": "0"},
}


class OpenVinoSession:
    """OpenVINO on the CPU, natively.

    Args:
        path: ONNX file, as published: OpenVINO fuses PReLU by itself.
        threads: inference threads.
        low_precision: let the processor use bf16 where it has it. Good for the recogniser (cosine
            to float32 at least 0.999), not for the detector, whose boxes would move.

    Raises:
        ModelError: the model cannot be loaded.
    """

    device = "openvino"
    max_batch = 8

    def __init__(self, path: Path, threads: int, *, low_precision: bool) -> None:
        import openvino

        core = openvino.Core()
        able = low_precision and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        config: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "bf16" if able else "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            compiled = core.compile_model(core.read_model(str(path)), "CPU", config)
        except RuntimeError as error:
            raise ModelError(f"{path.name} cannot be loaded by OpenVINO: {error}") from error
        self._request = compiled.create_infer_request()
        self._outputs = len(compiled.outputs)

    def run(self, batch: Tensor) -> list[Tensor]:
        """See `ModelSession.run`."""
        self._request.infer([batch], share_inputs=True)
        # The request reuses its buffers at the next call.
        return [
            np.array(self._request.get_output_tensor(index).data) for index in range(self._outputs)
        ]


def open_session(file: InstalledFile, backend: Backend, threads: int) -> ModelSession:
    """Load an installed model file on a backend.

    Raises:
        ModelError: it cannot be loaded there.
    """
    if backend.native_openvino:
        recogniser = file.published.role == "recogniser"
        return OpenVinoSession(file.path, threads, low_precision=recogniser)
    return OnnxRuntimeSession(file.fast_path, backend, threads)
