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
        max_batch: frames worth giving to one call; more only costs memory.
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
        providers = [(name, _provider_options(name, path)) for name in backend.providers]
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
        self.max_batch = max(backend.max_batch, threads)
        declared = self._session.get_inputs()[0]
        self._input = declared.name
        self._one_by_one = declared.shape[0] == 1

    def run(self, batch: Tensor) -> list[Tensor]:
        """See `ModelSession.run`."""
        if self._one_by_one and len(batch) > 1:
            return _run_one_by_one(self, batch)
        return list(self._session.run(None, {self._input: batch}))


def _provider_options(provider: str, model: Path) -> dict[str, str]:
    if provider == "CUDAExecutionProvider":
        # An exhaustive search would run again for every new picture size.
        return {"cudnn_conv_algo_search": "HEURISTIC"}
    if provider == "TensorrtExecutionProvider":
        engines = str(model.parent / "tensorrt")  # building one takes minutes
        return {"trt_engine_cache_enable": "1", "trt_engine_cache_path": engines}
    return {}


class OpenVinoSession:
    """OpenVINO on the CPU, natively.

    Args:
        path: ONNX file, as published: OpenVINO fuses PReLU by itself.
        threads: inference threads.
        low_precision: compute in bf16 where the processor has tiles for it (AMX; without them
            bf16 is half as fast as float32). Good for the recogniser (cosine to float32 at least
            0.999), not for the detector, whose boxes would move.

    Raises:
        ModelError: the model cannot be loaded.
    """

    device = "openvino"

    def __init__(self, path: Path, threads: int, *, low_precision: bool) -> None:
        import openvino

        core = openvino.Core()
        config: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": threads,
            # Pinned, every worker process would pick the same core.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "bf16" if low_precision and _has_amx() else "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            model = core.read_model(str(path))
            compiled = core.compile_model(model, "CPU", config)
        except RuntimeError as error:
            raise ModelError(f"{path.name} cannot be loaded by OpenVINO: {error}") from error
        self.max_batch = threads
        self._request = compiled.create_infer_request()
        self._outputs = len(compiled.outputs)
        batch = model.inputs[0].get_partial_shape()[0]
        self._one_by_one = batch.is_static and batch.get_length() == 1

    def run(self, batch: Tensor) -> list[Tensor]:
        """See `ModelSession.run`."""
        if self._one_by_one and len(batch) > 1:
            return _run_one_by_one(self, batch)
        self._request.infer([batch], share_inputs=True)
        # The request reuses its buffers at the next call.
        return [
            np.array(self._request.get_output_tensor(index).data) for index in range(self._outputs)
        ]


def _run_one_by_one(session: ModelSession, batch: Tensor) -> list[Tensor]:
    """For models declared with a batch of one; outputs without a batch dimension gain it."""
    runs = [session.run(batch[index : index + 1]) for index in range(len(batch))]
    return [
        np.stack(outputs) if outputs[0].ndim == 2 else np.concatenate(outputs)
        for outputs in zip(*runs, strict=True)
    ]


def _has_amx() -> bool:
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux
        return False


def open_session(file: InstalledFile, backend: Backend, threads: int) -> ModelSession:
    """Load an installed model file on a backend.

    Raises:
        ModelError: it cannot be loaded there.
    """
    if backend.native_openvino:
        recogniser = file.published.role == "recogniser"
        return OpenVinoSession(file.path, threads, low_precision=recogniser)
    path = file.fast_path if backend.device == "cpu" else file.path
    return OnnxRuntimeSession(path, backend, threads)
