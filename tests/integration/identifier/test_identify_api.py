"""`POST /api/v1/identify` over a socket: facebox's shape, ours, and photos no one should send."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from identifier.api.analysts import Analysts
from identifier.api.guard import Access, Guard
from identifier.api.identify import PhotoLimits, identify_routes
from identifier.api.problems import handle_problems
from identifier.api.server import ApiServer
from identifier.enrolment import PhotoAnalyser
from identifier.people import People
from identifier.snapshot import Snapshot, SnapshotSource
from services.models.analysis import DetectedFace, FaceAnalyser
from services.models.install import ModelFile
from services.records.jpeg import Image
from tests.photos import jpeg_claiming, lying_on_its_side, resized
from tests.waiting import eventually

PATH = "/api/v1/identify"
THRESHOLD = 0.33
MAX_BYTES = 20_971_520

StartApi = Callable[..., httpx.Client]


class Newest(SnapshotSource):
    """The gallery that a test enrols people in."""

    def __init__(self, people: People) -> None:
        self._people = people

    @property
    def snapshot(self) -> Snapshot:
        return self._people.store.snapshot()


class Gate:
    """An analyser that holds every photo until the gate is opened."""

    def __init__(self, real: FaceAnalyser) -> None:
        self.pack_name: str = real.pack_name
        self.model_files: tuple[ModelFile, ...] = real.model_files
        self.opened = threading.Event()
        self.came = threading.Semaphore(0)

    def analyse_photo(self, image: Image) -> list[DetectedFace]:
        del image
        self.came.release()
        assert self.opened.wait(30)
        return []


@pytest.fixture
def start(sqlite_people: People, analyser: FaceAnalyser) -> Iterator[StartApi]:
    """Starts an API that identifies against the gallery, and gives a client for it."""
    with ExitStack() as at_exit:

        def start_one(
            analyser: PhotoAnalyser = analyser,
            at_once: int = 1,
            waiting: int = 8,
            max_pixels: int = 64_000_000,
        ) -> httpx.Client:
            analysts = Analysts(lambda: analyser, at_once, waiting)
            app = FastAPI()
            handle_problems(app)
            limits = PhotoLimits(MAX_BYTES, max_pixels)
            app.include_router(
                identify_routes(Newest(sqlite_people), lambda _: THRESHOLD, analysts, limits)
            )
            app.add_middleware(
                Guard, access=Access.on_loopback("127.0.0.1", None, MAX_BYTES + 65_536)
            )
            server = ApiServer(app, "127.0.0.1", 0)
            server.start()
            at_exit.callback(server.stop)
            address = f"http://127.0.0.1:{server.port}"
            return at_exit.enter_context(httpx.Client(base_url=address, timeout=60))

        yield start_one


@pytest.fixture
def api(start: StartApi) -> httpx.Client:
    return start()


@pytest.fixture
def reference(test_data: Path) -> Path:
    return test_data / "clip_hamilton" / "ref" / "lin_manuel_miranda.png"


def ask(api: httpx.Client, photo: bytes, **query: str) -> Any:
    answer = api.post(PATH, files={"file": photo}, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer: httpx.Response, status: int, reason: str) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["reason"] == reason
    return answer.json()


def test_facebox_clients_are_answered_in_facebox_s_shape(
    api: httpx.Client, sqlite_people: People, reference: Path
) -> None:
    photo = resized(reference, 0.9)
    before = ask(api, photo)
    assert (before["success"], before["facesCount"]) == (True, 1)
    (stranger,) = before["faces"]
    assert (stranger["matched"], stranger["name"], stranger["id"]) == (False, "", "")
    assert stranger["confidence"] == 0

    enrolled = sqlite_people.enrol("Lin-Manuel Miranda", reference.read_bytes())
    answer = ask(api, photo)
    assert set(answer) == {"success", "facesCount", "faces"}
    (face,) = answer["faces"]
    assert set(face) == {"rect", "id", "name", "matched", "confidence"}
    assert (face["matched"], face["name"]) == (True, "Lin-Manuel Miranda")
    assert face["id"] == enrolled.photo.id
    assert 0.9 < face["confidence"] <= 1
    assert set(face["rect"]) == {"top", "left", "width", "height"}
    assert all(isinstance(side, int) for side in face["rect"].values())


def test_our_shape_says_what_decided_and_by_which_models(
    api: httpx.Client, sqlite_people: People, analyser: FaceAnalyser, reference: Path
) -> None:
    enrolled = sqlite_people.enrol("Lin-Manuel Miranda", reference.read_bytes())
    photo = resized(reference, 0.9)
    answer = ask(api, photo, shape="facestream")
    assert answer["sha256"] == hashlib.sha256(photo).hexdigest()
    assert answer["gallery_version"] == sqlite_people.store.snapshot().version
    assert answer["models"]["name"] == "buffalo_s"
    digests = {file["role"]: file["sha256"] for file in answer["models"]["files"]}
    assert digests == {file.role: file.sha256 for file in analyser.model_files}
    (face,) = answer["faces"]
    assert (face["person"], face["name"]) == ("lin-manuel-miranda", "Lin-Manuel Miranda")
    assert face["reference"] == enrolled.photo.id
    assert face["similarity"] > face["threshold"] == pytest.approx(THRESHOLD)
    assert face["sharpness"] > 0
    assert 0.5 < face["quality"] <= 1
    assert abs(face["pose"]["yaw"]) < 45
    assert len(face["landmarks"]) == 5
    for point in face["landmarks"]:
        assert 0 <= point["x"] - face["box"]["x"] <= face["box"]["width"]


def test_without_anyone_enrolled_nothing_is_similar_to_anything(
    api: httpx.Client, reference: Path
) -> None:
    (face,) = ask(api, reference.read_bytes(), shape="facestream")["faces"]
    assert face["person"] is face["name"] is face["similarity"] is face["reference"] is None


def test_every_face_of_a_group_is_answered_and_each_person_named_once(
    api: httpx.Client, sqlite_people: People, test_data: Path
) -> None:
    seed = test_data / "pach_seed"
    for name, photo in (("trump", "faces1/trump1.jpg"), ("clinton", "faces2/clinton1.jpg")):
        sqlite_people.enrol(name, (seed / "train" / photo).read_bytes(), force=True)
    answer = ask(api, (seed / "unidentified" / "image2.jpg").read_bytes())
    names = sorted(face["name"] for face in answer["faces"] if face["matched"])
    assert names == ["clinton", "trump"]
    assert answer["facesCount"] == len(answer["faces"])


@pytest.mark.parametrize("media_type", ["image/png", "application/octet-stream"])
def test_the_photo_may_be_the_body_itself(
    api: httpx.Client, reference: Path, media_type: str
) -> None:
    headers = {"Content-Type": media_type}
    answer = api.post(PATH, content=reference.read_bytes(), headers=headers)
    assert answer.json()["facesCount"] == 1


def test_a_photo_lying_on_its_side_is_looked_at_upright(api: httpx.Client, reference: Path) -> None:
    lying = ask(api, lying_on_its_side(reference), shape="facestream")
    upright = ask(api, reference.read_bytes(), shape="facestream")
    assert (lying["width"], lying["height"]) == (upright["width"], upright["height"])
    (one,), (other,) = lying["faces"], upright["faces"]
    for side in ("x", "y", "width", "height"):
        assert one["box"][side] == pytest.approx(other["box"][side], abs=8)


def test_a_scene_without_a_face_is_an_answer_with_none(api: httpx.Client, test_data: Path) -> None:
    scene = test_data / "det_cmumit" / "nonface" / "golf_course_sun_babrwpwsaeessjtj.jpg"
    answer = ask(api, scene.read_bytes())
    assert answer == {"success": True, "facesCount": 0, "faces": []}


@pytest.mark.parametrize(
    ("photo", "status", "reason"),
    [
        (b"", 422, "unreadable"),
        (b"\xff\xd8\xff\xe0 cut off", 422, "unreadable"),
        (b"GIF89a" + bytes(100), 415, "unsupported-format"),
        (bytes(4) + b"ftypheic" + bytes(100), 415, "unsupported-format"),
        (jpeg_claiming(30_000, 30_000), 413, "too-large"),
    ],
)
def test_what_is_no_photo_is_refused_with_the_reason(
    api: httpx.Client, photo: bytes, status: int, reason: str
) -> None:
    refused(api.post(PATH, files={"file": photo}), status, reason)


def test_a_request_without_a_photo_says_how_to_send_one(api: httpx.Client) -> None:
    assert "`file`" in refused(api.post(PATH, data={"x": "1"}, files={"other": b"x"}), 422,
                               "bad-request")["detail"]  # fmt: skip
    form = refused(api.post(PATH, data={"file": "x"}), 415, "unsupported-media-type")
    assert "image/jpeg" in form["detail"]
    refused(api.post(PATH), 415, "unsupported-media-type")
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    refused(api.post(PATH, content=b"no form", headers=broken), 400, "bad-request")
    refused(api.post(PATH, params={"shape": "round"}, files={"file": b"x"}), 422, "bad-request")


def test_a_photo_of_too_many_pixels_is_refused_undecoded(start: StartApi, reference: Path) -> None:
    api = start(max_pixels=1_024)
    answer = refused(api.post(PATH, files={"file": reference.read_bytes()}), 413, "too-large")
    assert answer["allowed"]["pixels"] == 1_024


def test_when_too_many_photos_wait_the_next_is_sent_away_and_may_come_again(
    start: StartApi, analyser: FaceAnalyser, reference: Path
) -> None:
    gate = Gate(analyser)
    api = start(analyser=gate, at_once=1, waiting=1)
    photo = reference.read_bytes()
    busy: list[httpx.Response] = []

    def sent_away() -> bool:
        answer = api.post(PATH, files={"file": photo})
        busy.append(answer)
        return answer.status_code == 503

    with ThreadPoolExecutor(4) as others:
        first = others.submit(ask, api, photo)
        assert gate.came.acquire(timeout=30)
        rest = [others.submit(sent_away) for _ in range(2)]
        eventually(lambda: any(answer.status_code == 503 for answer in busy))
        gate.opened.set()
        assert first.result()["facesCount"] == 0
        assert sorted(each.result() for each in rest) == [False, True]
    answer = next(answer for answer in busy if answer.status_code == 503)
    assert refused(answer, 503, "busy")
    assert answer.headers["retry-after"] == "1"
    assert ask(api, photo)["facesCount"] == 0
