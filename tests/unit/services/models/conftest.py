"""The default pack, an analyser that runs it, and real pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from services.models.analysis import FaceAnalyser
from services.models.devices import candidates
from services.models.install import InstalledPack, ensure_pack
from services.models.pixels import Image
from services.models.scrfd import Scrfd
from services.models.sessions import open_session


@pytest.fixture(scope="session")
def buffalo_s() -> InstalledPack:
    """The default pack, pulled the way users pull it and kept where they keep it."""
    return ensure_pack("buffalo_s")


@pytest.fixture(scope="session")
def analyser(buffalo_s: InstalledPack) -> FaceAnalyser:
    return FaceAnalyser.load(buffalo_s.pack.name, device="cpu")


@pytest.fixture(scope="session")
def detector(buffalo_s: InstalledPack) -> Scrfd:
    (cpu,) = candidates("cpu")
    return Scrfd(open_session(buffalo_s.detector, cpu, 1), min_score=0.5)


@pytest.fixture(scope="session")
def clip(test_data: Path) -> list[Image]:
    """Every third frame of clip_hamilton, (360, 640, 3) uint8 BGR: 92 frames, number 3n at n."""
    with av.open(str(test_data / "clip_hamilton" / "clip.mp4")) as container:
        return [
            np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
            for index, frame in enumerate(container.decode(video=0))
            if index % 3 == 0
        ]


@pytest.fixture(scope="session")
def photo(test_data: Path) -> Callable[[str], Image]:
    """Reads a picture of the test data by its path there."""

    def read(path: str) -> Image:
        image = cv2.imread(str(test_data / path))
        assert image is not None, path
        return np.asarray(image, np.uint8)

    return read
