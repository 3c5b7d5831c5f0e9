"""Faces per frame on one core: our analyser beside insightface's own loop, same weights.

    python -m benchmarks.inference [--clip FILE] [--frames N] [--device cpu] [--padding 160]

Both run in turns in one process, on the same decoded frames, with one thread; prints milliseconds
per frame, the ratio, whether the same faces were found, and the resident memory of our process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from services.models.analysis import PADDING_PX, DetectedFace, FaceAnalyser
from services.models.install import ensure_pack

DEFAULT_CLIP = Path(
    os.environ.get("FACESTREAM_TEST_DATA", Path(__file__).parent.parent.parent / "shared" / "data"),
    "clip_hamilton/clip.mp4",
)
BLOCK_FRAMES = 16

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class PeerFace:
    """A face as insightface gives it: (4,) corners in pixels, (D,) unit embedding."""

    box: NDArray[np.float32]
    embedding: NDArray[np.float32]


class Peer:
    """`insightface.app.FaceAnalysis` as its users run it, on the published files of a pack."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        import onnxruntime
        from insightface.app import FaceAnalysis

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._app = FaceAnalysis(
            str(folder), providers=["CPUExecutionProvider"], sess_options=options
        )
        self._app.prepare(ctx_id=-1, det_size=(640, 640))

    def get(self, image: Image) -> list[PeerFace]:
        """Faces of one (H, W, 3) uint8 BGR picture."""
        return [PeerFace(face.bbox, face.normed_embedding) for face in self._app.get(image)]


def published_files(pack: str, folder: Path) -> Path:
    """The pack's files as published, alone in a directory, the way insightface wants them."""
    installed = ensure_pack(pack)
    for file in (installed.detector, installed.recogniser):
        shutil.copy(file.path, folder / file.path.name)
    return folder


def decode(clip: Path, limit: int) -> list[Image]:
    """The first `limit` frames of a clip, (H, W, 3) uint8 BGR."""
    with av.open(str(clip)) as container:
        frames: list[Image] = []
        for frame in container.decode(video=0):
            if len(frames) == limit:
                break
            frames.append(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8))
    return frames


@dataclass
class Agreement:
    """How far two analyses of the same frames find the same faces."""

    ours: int = 0
    peers: int = 0
    matched: int = 0
    lowest_cosine: float = 1.0

    def add(self, ours: Sequence[DetectedFace], peers: Sequence[PeerFace]) -> None:
        """Pair the faces of one frame by their boxes' centres."""
        self.ours += len(ours)
        self.peers += len(peers)
        for peer in peers:
            centre = (peer.box[:2] + peer.box[2:]) / 2
            size = float((peer.box[2:] - peer.box[:2]).max())
            for face in ours:
                own = face.box_xywh[:2] + face.box_xywh[2:] / 2
                if float(np.abs(own - centre).max()) < size / 4:
                    self.matched += 1
                    cosine = float(face.embedding @ peer.embedding)
                    self.lowest_cosine = min(self.lowest_cosine, cosine)
                    break


def compare(frames: Sequence[Image], analyser: FaceAnalyser, peer: Peer) -> None:
    """Time both in turns, so that what else the machine does falls on both alike."""
    ours_s = peer_s = 0.0
    agreement = Agreement()
    analyser.analyse(frames[:1])
    peer.get(frames[0])
    for start in range(0, len(frames), BLOCK_FRAMES):
        block = frames[start : start + BLOCK_FRAMES]
        began = time.process_time()
        ours = analyser.analyse(block)
        between = time.process_time()
        peers = [peer.get(frame) for frame in block]
        ended = time.process_time()
        ours_s += between - began
        peer_s += ended - between
        for one, other in zip(ours, peers, strict=True):
            agreement.add(one, other)
    count = len(frames)
    height, width = frames[0].shape[:2]
    print(f"{count} frames of {width}x{height}, {agreement.peers / count:.1f} faces each, one core")
    print(f"insightface   {peer_s / count * 1000:6.1f} ms/frame")
    print(f"facestream    {ours_s / count * 1000:6.1f} ms/frame on {analyser.device}")
    print(f"ratio         {peer_s / ours_s:6.2f}")
    print(
        f"faces         {agreement.peers} (insightface), {agreement.ours} (facestream),"
        f" {agreement.matched} the same; lowest cosine {agreement.lowest_cosine:.5f}"
    )


def resident_mb(clip: Path, pack: str, device: str) -> float:
    """Resident memory of a fresh process that has analysed batches of 16 frames."""
    command = [sys.executable, "-m", "benchmarks.inference", "--memory"]
    command += ["--clip", str(clip), "--pack", pack, "--device", device]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1])["resident_mb"])


def _resident_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clip", type=Path, default=DEFAULT_CLIP, help="video with faces")
    parser.add_argument("--frames", type=int, default=275, help="frames to take from it")
    parser.add_argument("--pack", default="buffalo_s", help="model pack")
    parser.add_argument("--device", default="cpu", help="where ours runs")
    parser.add_argument(
        "--padding", type=int, default=PADDING_PX, help="DETECTION_PADDING of ours, pixels"
    )
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    frames = decode(arguments.clip, 64 if arguments.memory else arguments.frames)
    analyser = FaceAnalyser.load(
        arguments.pack, device=arguments.device, padding_px=arguments.padding
    )
    if arguments.memory:
        for start in range(0, len(frames), BLOCK_FRAMES):
            analyser.analyse(frames[start : start + BLOCK_FRAMES])
        held = _resident_bytes() - sum(frame.nbytes for frame in frames)
        print(json.dumps({"resident_mb": held / 1e6}))
        return
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(published_files(arguments.pack, Path(folder)))
        compare(frames, analyser, peer)
    megabytes = resident_mb(arguments.clip, arguments.pack, arguments.device)
    print(f"resident      {megabytes:6.0f} MB, analyser loaded, batches of {BLOCK_FRAMES} frames")


if __name__ == "__main__":
    main()
