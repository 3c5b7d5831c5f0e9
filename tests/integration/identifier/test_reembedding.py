"""A changed model pack reads the kept photos before anything is matched against it; on both."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from identifier.enrolment import Enroller
from identifier.gallery.database import Database
from identifier.gallery.reembedding import Reembedding
from identifier.gallery.store import GalleryStore
from services.lifecycle.health import Health
from services.models.analysis import DetectedFace, FaceAnalyser
from services.models.install import ModelFile
from services.records.jpeg import Image
from tests.integration.identifier.conftest import LIMITS
from tests.waiting import eventually

OTHER = "e" * 64


class OtherPack:
    """The real models under another name, with embeddings that mean nothing to the first."""

    pack_name = "other"

    def __init__(self, analyser: FaceAnalyser) -> None:
        self._analyser = analyser
        self.model_files: tuple[ModelFile, ...] = tuple(
            replace(file, sha256=OTHER) if file.role == "recogniser" else file
            for file in analyser.model_files
        )
        self.read = 0

    def analyse_photo(self, image: Image) -> list[DetectedFace]:
        self.read += 1
        faces = self._analyser.analyse_photo(image)
        return [
            replace(face, embedding=np.ascontiguousarray(face.embedding[::-1])) for face in faces
        ]


@pytest.fixture
def other(analyser: FaceAnalyser) -> OtherPack:
    return OtherPack(analyser)


@pytest.fixture
def portraits(test_data: Path) -> dict[str, bytes]:
    folder = test_data / "clip_hamilton" / "ref"
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.png"))[:2]}


@pytest.fixture
def filled(store: GalleryStore, enroller: Enroller, portraits: dict[str, bytes]) -> GalleryStore:
    """Two people, read by the first pack."""
    for name, photo in portraits.items():
        store.add(name, enroller.read(photo))
    return store


def reembedding(store: GalleryStore, pack: OtherPack, health: Health | None = None) -> Reembedding:
    enroller = Enroller(lambda: pack, LIMITS)
    return Reembedding(store.recognisers, enroller, "other", health or Health(), poll_s=0.05)


def test_a_new_pack_is_matched_against_when_it_has_read_every_photo(
    filled: GalleryStore, other: OtherPack, enroller: Enroller, portraits: dict[str, bytes]
) -> None:
    first = enroller.recogniser_sha256
    health = Health()
    work = reembedding(filled, other, health)
    assert health.report()["ready"] is False
    assert (work.progress().ready, work.progress().total) == (0, 2)
    photo = next(iter(portraits.values()))
    filled.add("somebody new", Enroller(lambda: other, LIMITS).read(photo))
    assert set(filled.snapshot().matrices) == {first}
    work.look()
    assert health.is_ready
    assert set(filled.snapshot().matrices) == {first, OTHER}
    progress = work.progress()
    assert (progress.ready, progress.failed, progress.total, progress.matched) == (3, 0, 3, True)
    matrix = filled.snapshot().matrices[OTHER]
    for name, data in portraits.items():
        face = enroller.read(data).reading.embedding[::-1]
        (match,) = matrix.match(face[None], [0], 0.99)
        assert match.similarity > 0.99
        assert match.person is None or match.person.name in (name, "somebody new")


def test_what_was_read_is_not_read_again_and_the_models_are_not_even_loaded(
    filled: GalleryStore, other: OtherPack
) -> None:
    reembedding(filled, other).look()
    assert other.read == 2
    health = Health()

    def never() -> OtherPack:
        raise AssertionError("nothing is left to read")

    Reembedding(filled.recognisers, Enroller(never, LIMITS), "other", health).look()
    assert health.is_ready
    assert other.read == 2


def test_an_empty_gallery_is_ready_at_once(store: GalleryStore, other: OtherPack) -> None:
    health = Health()
    reembedding(store, other, health).look()
    assert health.is_ready
    assert other.read == 0


def test_several_identifiers_share_the_work_and_double_nothing(
    open_database: Callable[[], Database], filled: GalleryStore, analyser: FaceAnalyser
) -> None:
    stores = [GalleryStore(open_database()) for _ in range(2)]
    packs = [OtherPack(analyser), OtherPack(analyser)]
    works = [reembedding(store, pack) for store, pack in zip(stores, packs, strict=True)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Reembedding.look, works))
    works[0].look()
    assert filled.recognisers.progress(OTHER).ready == 2
    assert filled.recognisers.progress(OTHER).matched
    assert len(filled.snapshot().matrices[OTHER]) == 2


def test_a_face_that_the_new_pack_does_not_find_is_noted_and_holds_up_nobody(
    filled: GalleryStore, other: OtherPack, enroller: Enroller, portraits: dict[str, bytes]
) -> None:
    name, data = next(iter(portraits.items()))
    photo = enroller.read(data)
    elsewhere = replace(photo.reading, box_px=(0.0, 0.0, 4.0, 4.0))
    blank = cv2.imencode(".png", np.full((200, 200, 3), 90, np.uint8))[1].tobytes()
    filled.add(name, replace(photo, data=blank, sha256="f" * 64))
    filled.add(name, replace(photo, sha256="0" * 64, reading=elsewhere))
    work = reembedding(filled, other)
    work.look()
    progress = work.progress()
    assert (progress.ready, progress.failed, progress.total) == (2, 2, 4)
    assert progress.matched
    work.look()
    assert other.read == 4


def test_in_the_background_it_takes_up_what_comes_later(
    filled: GalleryStore, other: OtherPack, enroller: Enroller, portraits: dict[str, bytes]
) -> None:
    health = Health()
    work = reembedding(filled, other, health)
    work.start()
    try:
        eventually(lambda: health.is_ready, 60, "the pack has read the gallery")
        filled.add("later", enroller.read(next(iter(portraits.values()))))
        eventually(lambda: work.progress().ready == 3, 60, "the late photo was read")
    finally:
        work.stop()
