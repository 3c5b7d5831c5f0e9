"""A tiny pack, an HTTP server and a package index that carry it: real parts, no network."""

from __future__ import annotations

import hashlib
import http.server
import io
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from services.models.packs import Pack, PackFile, Place


def tiny_model(slopes: list[float], *, seed: int = 0) -> bytes:
    """A network (N, 3, 4, 4) -> [1, C]: convolution, PReLU, flatten."""
    random = np.random.default_rng(seed)
    channels = len(slopes)
    weights = random.normal(size=(channels, 3, 4, 4)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"]),
            helper.make_node("PRelu", ["c", "a"], ["p"]),
            helper.make_node("Flatten", ["p"], ["y"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3, 4, 4])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, channels])],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.array(slopes, np.float32).reshape(channels, 1, 1), "a"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    return bytes(model.SerializeToString())


DETECTOR = tiny_model([0.1, 0.2], seed=1)
RECOGNISER = tiny_model([-0.5, 0.3, 1.0], seed=2)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


MODELS_ZIP = zip_of({"det.onnx": DETECTOR, "rec.onnx": RECOGNISER})


def tiny_pack(*places: tuple[str | None, str | None]) -> Pack:
    """A pack whose two files are in every place given as (pypi, url)."""

    def file(role: str, name: str, content: bytes) -> PackFile:
        return PackFile.model_validate(
            {
                "role": role,
                "name": name,
                "sha256": digest(content),
                "places": tuple(Place(pypi=p, url=u, member=name) for p, u in places),
            }
        )

    return Pack(
        name="tiny",
        summary="for tests",
        licence="test licence",
        licence_url="https://example.org/licence",
        threshold=0.3,
        embedding_size=3,
        detector="scrfd",
        recogniser="arcface",
        alignment="arcface-112",
        tested=True,
        files=(file("detector", "det.onnx", DETECTOR), file("recogniser", "rec.onnx", RECOGNISER)),
    )


def write_wheel(folder: Path, files: dict[str, bytes]) -> str:
    """A wheel `facestream-test-models` 1.0 with the files; returns the requirement."""
    info = "facestream_test_models-1.0.dist-info"
    metadata = "Metadata-Version: 2.1\nName: facestream-test-models\nVersion: 1.0\n"
    wheel = "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    content = {
        **files,
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": wheel.encode(),
        f"{info}/RECORD": b"",
    }
    (folder / "facestream_test_models-1.0-py3-none-any.whl").write_bytes(zip_of(content))
    return "facestream-test-models==1.0"


class Server:
    """Serves the same bytes at every path, slowly if asked, and counts who asked."""

    def __init__(self, content: bytes, delay_s: float, announced: int | None) -> None:
        self.requests = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests += 1
                time.sleep(delay_s)
                self.send_response(404 if self.path == "/gone.zip" else 200)
                self.send_header("Content-Length", str(announced or len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/models.zip"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def serving(
    content: bytes, *, delay_s: float = 0, announced: int | None = None
) -> Iterator[Server]:
    server = Server(content, delay_s, announced)
    server.start()
    try:
        yield server
    finally:
        server.stop()
