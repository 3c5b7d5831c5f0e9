"""The gallery at 1,000, 10,000 and 100,000 people: load, change, match, memory; and on LFW.

Beside it in the same run, on the same faces: faiss (IndexFlatIP, the exact one) where it is
installed, and a plain `argmax` over one NumPy product. All on one thread.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert

from identifier.gallery.database import Database, sqlite_url
from identifier.gallery.store import GalleryStore
from identifier.gallery.tables import (
    PersonRow,
    PhotoFileRow,
    PhotoRow,
    ReadingRow,
    RecogniserRow,
)
from identifier.gallery.tables import now as utc_now
from identifier.gallery.values import NewPhoto, PhotoReading
from identifier.matcher import Embeddings, Person, Reference, ReferenceMatrix
from identifier.snapshot import Snapshot

SIZES = (1_000, 10_000, 100_000)
FACES = 32
DIMENSIONS = 512
THRESHOLD = 0.33
RECOGNISER = "a" * 64
_ROWS_AT_ONCE = 5_000
_REPEATS = 9
_LFW_PHOTOS = 600


Search = Callable[[Embeddings], NDArray[np.int64]]
"""(F, D) faces to the number of the nearest reference of each."""


def report(data: Path) -> None:
    """Print the tables: synthetic galleries, and the one of LFW where its photos are.

    In a process of its own: how many threads a product runs on is settled when NumPy is loaded.
    """
    one_thread = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    subprocess.run(
        [sys.executable, "-m", "benchmarks.identity.gallery", str(data)],
        env=os.environ | one_thread,
        check=True,
    )


def _report(data: Path) -> None:
    print(
        "| people | load s | memory MB | enrol one ms | seen by another ms | page of 100 ms ",
        end="",
    )
    print(f"| {FACES} faces ms | faiss ms | ours / faiss | NumPy argmax ms | ours / NumPy |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for size in SIZES:
        print(_row(size), flush=True)
    _report_lfw(data)


def _row(size: int) -> str:
    rng = np.random.default_rng(size)
    vectors = _unit(rng.standard_normal((size, DIMENSIONS), dtype=np.float32))
    with tempfile.TemporaryDirectory(prefix="facestream-gallery-") as folder:
        database = Database(sqlite_url(Path(folder)))
        _fill(database, vectors)
        store = GalleryStore(database)
        before_mb = _resident_mb()
        begun_s = time.perf_counter()
        mine = store.load()
        snapshot = mine.snapshot()
        load_s = time.perf_counter() - begun_s
        memory_mb = _resident_mb() - before_mb
        other = store.load()
        add_ms, follow_ms, page_ms = [], [], []
        for number, vector in enumerate(_unit(rng.standard_normal((5, DIMENSIONS)))):
            photo = _photo(f"{size + number:064x}", vector.astype(np.float32))
            add_ms.append(
                _once_ms(partial(store.add, f"new {number}", photo))
                + _once_ms(lambda: store.follow(mine).snapshot())
            )
            follow_ms.append(_once_ms(lambda: store.follow(other).snapshot()))
            page_ms.append(_once_ms(lambda: store.page(limit=100)))
        faces = vectors[rng.integers(0, size, FACES)]
        faces = _unit(faces + 0.5 / np.sqrt(DIMENSIONS) * rng.standard_normal(faces.shape))
        cells = _match_cells(snapshot, vectors, faces.astype(np.float32))
        database.close()
    figures = [load_s, memory_mb, min(add_ms), min(follow_ms), min(page_ms)]
    shown = [f"{load_s:.2f}", f"{memory_mb:.0f}", *(f"{value:.1f}" for value in figures[2:])]
    return " | ".join([f"| {size:,}", *shown, *cells]) + " |"


def _match_cells(snapshot: Snapshot, vectors: Embeddings, faces: Embeddings) -> list[str]:
    """Ours, and each peer with the ratio; ours and a peer take turns, the best of each counts."""
    match = partial(
        snapshot.matrices[RECOGNISER].match, faces, range(len(faces)), default_threshold=THRESHOLD
    )
    named = [found.person and found.person.slug for found in match()]
    ours_ms = min(_once_ms(match) for _ in range(_REPEATS))
    cells: list[str] = []
    for search in (_faiss(vectors), partial(_argmax, vectors)):
        if search is None:
            cells += ["not installed", "–"]
            continue
        assert named == [f"p{at}" for at in search(faces).tolist()], "the peer finds others"
        turns = [(_once_ms(match), _once_ms(partial(search, faces))) for _ in range(_REPEATS)]
        beside_ms, peer_ms = (min(times) for times in zip(*turns, strict=True))
        ours_ms = min(ours_ms, beside_ms)
        cells += [f"{peer_ms:.1f}", f"{beside_ms / peer_ms:.2f}"]
    return [f"{ours_ms:.1f}", *cells]


def _report_lfw(data: Path) -> None:
    """Enrol one photo of each person of LFW, name another of theirs."""
    folders = sorted((data / "lfw" / "images").glob("*"))
    pairs = [photos for folder in folders if len(photos := sorted(folder.glob("*.jpg"))) > 1]
    if not pairs:
        print("\nLFW is not there: no table of it.")
        return
    pairs = pairs[: _LFW_PHOTOS // 2]
    enrolled, enrol_ms = _embedded([photos[0] for photos in pairs])
    seen, _ = _embedded([photos[1] for photos in pairs])
    known = [at for at, vector in enumerate(enrolled) if vector is not None]
    references = [
        Reference(str(at), Person(f"p{at}", ""), vector)
        for at in known
        if (vector := enrolled[at]) is not None
    ]
    looked = [(at, vector) for at in known if (vector := seen[at]) is not None]
    faces = np.stack([vector for _, vector in looked])
    matrix = ReferenceMatrix(references)
    matches = matrix.match(faces, range(len(faces)), THRESHOLD)
    right = sum(
        m.person is not None and m.person.slug == f"p{at}"
        for (at, _), m in zip(looked, matches, strict=True)
    )
    named = sum(match.person is not None for match in matches)
    stacked = np.stack([reference.embedding for reference in references])
    nearest = np.argmax(faces @ stacked.T, axis=1)
    first = sum(known[int(at)] == wanted for (wanted, _), at in zip(looked, nearest, strict=True))
    print(
        "\n| LFW people | read a photo ms | seen again | named right | named wrong | no name "
        "| argmax right, at no threshold |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|")
    print(
        f"| {len(references)} | {enrol_ms:.0f} | {len(faces)} | {right} | {named - right} "
        f"| {len(faces) - named} | {first} |"
    )


def _embedded(photos: Sequence[Path]) -> tuple[list[Embeddings | None], float]:
    """The embedding of each photo with one clear face, and milliseconds a photo."""
    from identifier.enrolment import Enroller, EnrolmentLimits
    from identifier.photos import EnrolmentError
    from services.models.analysis import FaceAnalyser

    analyser = FaceAnalyser.load("buffalo_s", "cpu")
    enroller = Enroller(lambda: analyser, EnrolmentLimits(40, 0.5, 2**24, 2**26))
    found: list[Embeddings | None] = []
    begun_s = time.perf_counter()
    for photo in photos:
        try:
            found.append(enroller.read(photo.read_bytes()).reading.embedding)
        except EnrolmentError:
            found.append(None)
    return found, 1000 * (time.perf_counter() - begun_s) / len(photos)


def _fill(database: Database, vectors: Embeddings) -> None:
    """People with one photo each, as enrolling them one by one would have left them."""
    moment = utc_now()
    with database.writing() as session:
        session.execute(
            insert(RecogniserRow).values(sha256=RECOGNISER, pack="buffalo_s", complete_at=moment)
        )
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            some = range(start, min(start + _ROWS_AT_ONCE, len(vectors)))
            ids = {at: uuid.uuid4().hex for at in some}
            session.execute(
                insert(PersonRow),
                [
                    {
                        "id": at + 1,
                        "slug": f"p{at}",
                        "name": f"P{at}",
                        "name_key": f"p{at}",
                        "created_at": moment,
                    }
                    for at in some
                ],
            )
            session.execute(
                insert(PhotoRow),
                [
                    {
                        "id": ids[at],
                        "person_id": at + 1,
                        "sha256": f"{at:064x}",
                        "media_type": "image/jpeg",
                        "width": 250,
                        "height": 250,
                        "created_at": moment,
                    }
                    for at in some
                ],
            )
            session.execute(
                insert(PhotoFileRow), [{"photo_id": ids[at], "data": b"jpeg"} for at in some]
            )
            session.execute(
                insert(ReadingRow),
                [
                    {
                        "photo_id": ids[at],
                        "recogniser_sha256": RECOGNISER,
                        "detector_sha256": "d" * 64,
                        "pack": "buffalo_s",
                        "embedding": vectors[at].tobytes(),
                        "score": 0.9,
                        "sharpness": 100.0,
                        "x": 0.0,
                        "y": 0.0,
                        "width": 100.0,
                        "height": 100.0,
                        "created_at": moment,
                    }
                    for at in some
                ],
            )


def _photo(sha256: str, vector: Embeddings) -> NewPhoto:
    reading = PhotoReading(
        "buffalo_s", RECOGNISER, "d" * 64, vector, 0.9, 100.0, (0, 0, 100, 100), (0, 0, 0)
    )
    return NewPhoto(sha256.encode(), sha256, "image/jpeg", (250, 250), reading)


def _argmax(vectors: Embeddings, faces: Embeddings) -> NDArray[np.int64]:
    nearest: NDArray[np.int64] = np.argmax(faces @ vectors.T, axis=1)
    return nearest


def _faiss(vectors: Embeddings) -> Search | None:
    try:
        faiss = importlib.import_module("faiss")
    except ImportError:
        return None
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)

    def search(faces: Embeddings) -> NDArray[np.int64]:
        nearest: NDArray[np.int64] = index.search(faces, 1)[1][:, 0]
        return nearest

    return search


def _unit(vectors: NDArray[np.floating]) -> Embeddings:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Embeddings = (vectors / lengths).astype(np.float32)
    return unit


def _resident_mb() -> float:
    with contextlib.suppress(OSError), Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _once_ms(work: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun_s)


if __name__ == "__main__":
    _report(Path(sys.argv[1]))
