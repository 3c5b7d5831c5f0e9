"""Naming an unknown, with real faces: the past carries the name, and so does the future."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from identifier.gallery.database import Database
from identifier.memory.tables import SightingRow
from identifier.people import People
from identifier.photos import read_photo
from identifier.unknowns.store import Unknowns
from identifier.unknowns.values import UnknownError
from services.models.analysis import FaceAnalyser
from services.records.embeddings import Embedding
from services.records.jpeg import Image
from tests.integration.identifier.unknowns.strangers import CropsInMemory, face, see, track

SEEN = "Abdullah"
OTHER = "Amelia_Vega"


@pytest.fixture
def photos(test_data: Path) -> dict[str, list[bytes]]:
    """Crops of two people, as a camera might have taken them."""
    images = test_data / "lfw" / "images"
    return {
        who: [file.read_bytes() for file in sorted((images / who).glob("*.jpg"))[:3]]
        for who in (SEEN, OTHER)
    }


def pixels_of(photo: bytes) -> Image:
    return read_photo(photo, max_bytes=100_000, max_pixels=100_000).pixels


def embedding_of(analyser: FaceAnalyser, photo: bytes) -> Embedding:
    """Of the face in the middle."""
    pixels = pixels_of(photo)
    middle = np.array(pixels.shape[1::-1]) / 2
    faces = analyser.analyse_photo(pixels)
    return min(
        faces,
        key=lambda one: float(np.abs(one.box_xywh[:2] + one.box_xywh[2:] / 2 - middle).sum()),
    ).embedding


@pytest.fixture
def recogniser(analyser: FaceAnalyser) -> str:
    return next(file.sha256 for file in analyser.model_files if file.role == "recogniser")


@pytest.fixture
def seen(
    database: Database,
    unknowns: Unknowns,
    crops: CropsInMemory,
    photos: dict[str, list[bytes]],
    analyser: FaceAnalyser,
    recogniser: str,
) -> list[str]:
    """Sightings of Unknown 1, all but the last photo."""
    sightings = []
    for at, photo in enumerate(photos[SEEN][:-1]):
        state = track(f"s{at}", embedding_of(analyser, photo), recogniser=recogniser)
        assert see(database, unknowns, state) == [1]
        crops.crops[f"crops/{state.id}.jpg"] = photo
        sightings.append(state.id)
    return sightings


def test_a_named_unknown_is_matched_and_their_past_sightings_carry_the_name(
    database: Database,
    unknowns: Unknowns,
    people: People,
    seen: list[str],
    photos: dict[str, list[bytes]],
    analyser: FaceAnalyser,
    recogniser: str,
) -> None:
    named = unknowns.name(1, "Abdullah")
    assert (named.slug, named.name, named.sightings) == ("abdullah", "Abdullah", len(seen))
    assert len(named.references) == len(seen)
    assert named.refused == ()
    with database.reading() as session:
        rows = [session.get_one(SightingRow, sighting) for sighting in seen]
        assert {(row.unknown_id, row.found_by) for row in rows} == {(1, "naming")}
        assert all(row.person_id is not None for row in rows)
        assert {row.reference for row in rows} <= set(named.references)
        assert all(row.reference_sha256 and row.reference_at for row in rows)
        assert {row.gallery_version for row in rows} == {people.version}
        assert all((row.best_similarity or 0) > 0.9 for row in rows)
    shown = unknowns.get(1)
    assert (shown.slug, shown.sightings) == ("abdullah", len(seen))
    assert unknowns.list().unknowns == ()
    (listed,) = unknowns.list(named=True).unknowns
    assert listed.name == "Abdullah"

    person = people.store.person("abdullah")
    assert person is not None
    assert {photo.path for photo in person.photos} == {f"unknowns/1/{one}" for one in seen}
    matrix = people.store.snapshot().matrices[recogniser]
    newest = embedding_of(analyser, photos[SEEN][-1])
    (match,) = matrix.match(newest[None], [0], analyser.threshold)
    assert match.person is not None
    assert match.person.slug == "abdullah"
    (stranger,) = matrix.match(
        embedding_of(analyser, photos[OTHER][0])[None], [0], analyser.threshold
    )
    assert stranger.person is None

    again = unknowns.name(1, "abdullah")
    assert (again.sightings, again.references) == (0, named.references)


def test_an_unknown_becomes_a_person_there_is_already(
    unknowns: Unknowns, people: People, seen: list[str], photos: dict[str, list[bytes]]
) -> None:
    people.enrol("Abdullah II", photos[SEEN][-1], force=True)
    named = unknowns.name(1, "abdullah-ii")
    assert (named.slug, named.sightings) == ("abdullah-ii", len(seen))
    (listed,) = people.store.people()
    assert (listed.name, listed.photos) == ("Abdullah II", 1 + len(seen))


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_a_named_unknown_cannot_be_named_somebody_else(unknowns: Unknowns, seen: list[str]) -> None:
    unknowns.name(1, "Abdullah")
    with pytest.raises(UnknownError, match="rename or merge") as caught:
        unknowns.name(1, "Amelia")
    assert caught.value.reason == "already-named"


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_crops_that_show_nobody_or_somebody_else_become_no_reference(
    unknowns: Unknowns,
    people: People,
    crops: CropsInMemory,
    seen: list[str],
    photos: dict[str, list[bytes]],
) -> None:
    wall = cv2.imencode(".jpg", np.full((120, 120, 3), 128, np.uint8))[1].tobytes()
    crops.crops = {
        f"crops/{seen[0]}.jpg": wall,
        f"crops/{seen[1]}.jpg": photos[OTHER][0],
    }
    with pytest.raises(UnknownError, match="add a photo of Abdullah") as caught:
        unknowns.name(1, "Abdullah")
    assert caught.value.reason == "no-picture"
    assert people.store.people() == []
    assert unknowns.get(1).slug is None


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_a_person_there_is_already_stays_when_a_crop_shows_somebody_else(
    unknowns: Unknowns,
    people: People,
    crops: CropsInMemory,
    seen: list[str],
    photos: dict[str, list[bytes]],
) -> None:
    enrolled = people.enrol("Abdullah", photos[SEEN][-1], force=True)
    people.remove_photo("abdullah", enrolled.photo.id)
    crops.crops = {f"crops/{seen[0]}.jpg": photos[OTHER][0]}
    named = unknowns.name(1, "Abdullah")
    assert (named.sightings, named.references) == (len(seen), ())
    assert people.store.people()[0].photos == 0


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_of_several_faces_in_a_crop_the_one_in_the_middle_becomes_the_reference(
    unknowns: Unknowns,
    people: People,
    crops: CropsInMemory,
    seen: list[str],
    photos: dict[str, list[bytes]],
) -> None:
    both = [pixels_of(photos[who][0]) for who in (OTHER, SEEN)]
    left, middle = (image[50:200, 60:190] for image in both)
    beside = np.hstack([left, middle, np.zeros_like(left)])
    key = f"crops/{seen[0]}.jpg"
    crops.crops = {key: cv2.imencode(".jpg", beside)[1].tobytes()}
    named = unknowns.name(1, "Abdullah")
    assert len(named.references) == 1
    assert named.sightings == len(seen)
    person = people.store.person("abdullah")
    assert person is not None
    assert person.photos[0].size_px == (beside.shape[1] * 0.6, beside.shape[0] * 0.6)


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_when_the_crops_are_swept_a_new_name_needs_a_photo_first(
    unknowns: Unknowns,
    people: People,
    crops: CropsInMemory,
    seen: list[str],
    photos: dict[str, list[bytes]],
) -> None:
    crops.crops.clear()
    with pytest.raises(UnknownError, match="not kept any more"):
        unknowns.name(1, "Abdullah")
    people.enrol("Abdullah", photos[SEEN][-1], force=True)
    named = unknowns.name(1, "Abdullah")
    assert (named.sightings, named.references) == (len(seen), ())
    assert len(named.refused) == len(seen)


def test_merging_into_a_named_unknown_gives_the_name(
    database: Database, unknowns: Unknowns, people: People, seen: list[str]
) -> None:
    see(database, unknowns, track("far away", face(9)))
    unknowns.name(1, "Abdullah")
    merged = unknowns.merge(2, 1)
    assert (merged.number, merged.slug, merged.sightings) == (1, "abdullah", len(seen) + 1)


def test_after_naming_a_stray_track_of_theirs_is_a_new_unknown(
    database: Database,
    unknowns: Unknowns,
    seen: list[str],
    photos: dict[str, list[bytes]],
    analyser: FaceAnalyser,
    recogniser: str,
) -> None:
    unknowns.name(1, "Abdullah")
    newest = embedding_of(analyser, photos[SEEN][-1])
    assert see(database, unknowns, track("new", newest, recogniser=recogniser)) == [2]


def test_with_the_person_goes_the_unknown_they_were(
    database: Database, unknowns: Unknowns, people: People, seen: list[str]
) -> None:
    unknowns.name(1, "Abdullah")
    assert people.remove("abdullah")
    with pytest.raises(UnknownError, match="no Unknown 1"):
        unknowns.get(1)
    with database.reading() as session:
        assert [session.get(SightingRow, sighting) for sighting in seen] == [None] * len(seen)
    assert see(database, unknowns, track("new", face(1))) == [2]
