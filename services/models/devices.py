"""Choose where models run, and say what runtime is really installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Literal, get_args

import structlog

from services.errors import ModelError

Device = Literal["auto", "cpu", "cuda", "tensorrt", "openvino"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Backend:
    """A device as ONNX Runtime or OpenVINO know it.

    Attributes:
        device: the name a user gives it.
        providers: ONNX Runtime execution providers, best first; empty for OpenVINO itself.
        max_batch: frames worth giving to one call, at least. Each thread of a CPU is best fed one
            (two cost 12 % more each, for the cache); a GPU is filled by many.
        remedy: what to install where the device does not come up.
    """

    device: str
    providers: tuple[str, ...]
    max_batch: int
    remedy: str

    @property
    def native_openvino(self) -> bool:
        """Whether OpenVINO runs the model itself, without ONNX Runtime."""
        return not self.providers


_GPU_REMEDY = (
    "pip install 'facestream[gpu]', then remove the CPU build that shadows it:"
    " pip uninstall -y onnxruntime && pip install --force-reinstall --no-deps onnxruntime-gpu;"
    " an NVIDIA driver, CUDA and cuDNN must be there as well"
)
_OPENVINO_REMEDY = "pip install 'facestream[openvino]'"

_CPU = Backend("cpu", ("CPUExecutionProvider",), 1, "pip install onnxruntime")
_CUDA = Backend("cuda", ("CUDAExecutionProvider", "CPUExecutionProvider"), 64, _GPU_REMEDY)
_TENSORRT = Backend(
    "tensorrt",
    ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
    64,
    f"{_GPU_REMEDY}, and TensorRT (pip install tensorrt)",
)
_OPENVINO = Backend("openvino", (), 1, _OPENVINO_REMEDY)
_OPENVINO_PROVIDER = Backend(
    "openvino", ("OpenVINOExecutionProvider", "CPUExecutionProvider"), 1, _OPENVINO_REMEDY
)


def available_providers() -> tuple[str, ...]:
    """The execution providers of the ONNX Runtime that is installed."""
    import onnxruntime

    return tuple(onnxruntime.get_available_providers())


def has_openvino() -> bool:
    """Whether the `openvino` package is installed."""
    return importlib.util.find_spec("openvino") is not None


def candidates(
    device: str, providers: Sequence[str] | None = None, openvino: bool | None = None
) -> tuple[Backend, ...]:
    """The backends to try for a device, best first.

    `auto` never takes TensorRT by itself: it builds an engine for minutes at first use.

    Args:
        device: one of `Device`.
        providers: ONNX Runtime's execution providers; asked of it when None.
        openvino: whether the `openvino` package is there; looked up when None.

    Raises:
        ModelError: the device is unknown or not there; says what to install.
    """
    have = available_providers() if providers is None else providers
    native = has_openvino() if openvino is None else openvino
    if device not in get_args(Device):
        raise ModelError(f"DEVICE={device!r} is not one of {', '.join(get_args(Device))}")
    there = [
        backend
        for backend in (_TENSORRT, _CUDA, _OPENVINO_PROVIDER)
        if backend.providers[0] in have
    ]
    if native:
        there.insert(0, _OPENVINO)
    there.append(_CPU)
    if device == "auto":
        order = ("cuda", "openvino", "cpu")
        chosen = [next((b for b in there if b.device == name), None) for name in order]
        return tuple(backend for backend in chosen if backend is not None)
    for backend in there:
        if backend.device == device:
            return (backend,)
    missing = {"cuda": _CUDA, "tensorrt": _TENSORRT, "openvino": _OPENVINO}[device]
    raise ModelError(f"DEVICE={device} is not available here: {missing.remedy}")


@dataclass(frozen=True, slots=True)
class Runtime:
    """What runs models on this machine, for `doctor`.

    Attributes:
        distributions: installed ONNX Runtime distributions and versions.
        version: of the ONNX Runtime that Python imports.
        providers: its execution providers.
        openvino: version of the `openvino` package; None when absent.
        devices: what DEVICE may be set to here.
        warning: what is wrong, with the command that puts it right; None when nothing is.
    """

    distributions: dict[str, str]
    version: str
    providers: tuple[str, ...]
    openvino: str | None
    devices: tuple[str, ...]
    warning: str | None


_DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")


def describe_runtime() -> Runtime:
    """Which ONNX Runtime is really in place, what it can use, and what stands in the way."""
    import onnxruntime

    installed = {
        name: version for name in _DISTRIBUTIONS if (version := _version(name)) is not None
    }
    providers = available_providers()
    openvino = _version("openvino")
    devices = ["auto", "cpu"]
    devices += [
        backend.device
        for backend in (_CUDA, _TENSORRT, _OPENVINO_PROVIDER)
        if backend.providers[0] in providers
    ]
    if openvino is not None and "openvino" not in devices:
        devices.append("openvino")
    return Runtime(
        distributions=installed,
        version=str(onnxruntime.__version__),
        providers=providers,
        openvino=openvino,
        devices=tuple(devices),
        warning=shadowing(installed, providers),
    )


def shadowing(installed: dict[str, str], providers: Sequence[str]) -> str | None:
    """Whether one ONNX Runtime distribution hides another, and the command that ends it.

    All of them install the same Python package, so the one installed last wins.
    """
    if len(installed) < 2:
        return None
    names = " and ".join(f"{name} {version}" for name, version in installed.items())
    wanted = next((name for name in installed if name != "onnxruntime"), "onnxruntime")
    others = " ".join(name for name in installed if name != wanted)
    effect = (
        "the CPU build hides the GPU build"
        if "onnxruntime-gpu" in installed and "CUDAExecutionProvider" not in providers
        else "they overwrite each other's files"
    )
    return (
        f"{names} are both installed and {effect}: pip uninstall -y {others} &&"
        f" pip install --force-reinstall --no-deps {wanted}=={installed[wanted]}"
    )


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
