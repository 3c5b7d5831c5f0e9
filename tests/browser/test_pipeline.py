"""The page on a running pipeline: real clips, real Kafka, real models, a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from services.models.analysis import FaceAnalyser
from tests.browser.conftest import OpenPage
from tests.browser.test_page import expect_moving, picture_of
from tests.pipeline import (
    MIRANDA,
    Services,
    hamilton_people,
    identified_frames,
    reading,
    seqs_by_name,
    services,
)
from tests.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.browser, pytest.mark.timeout(300)]

Screenshot = Callable[..., Path]
FPS = 4
# Of the 46 frames that are left of the clip he is in 25, and a snapshot may miss some.
OF_MIRANDA = 20


@pytest.fixture(scope="module")
def pipeline(
    kafka: str, test_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    """Two clips in a loop as cameras, Miranda enrolled, every service running."""
    folder = tmp_path_factory.mktemp("pipeline")
    people = hamilton_people(test_data, folder / "people")
    clips = {"stage": "clip_hamilton", "dinner": "clip_obama_dinner"}
    with services(
        kafka,
        f"page{folder.name[-1]}{time.time_ns()}.",
        folder,
        PEOPLE_DIR=str(people),
        SOURCES=",".join(f"{name}={test_data / clip / 'clip.mp4'}" for name, clip in clips.items()),
        LOOP="true",
        FPS=str(FPS),
        MAX_SIDE="640",
        MAX_FRAME_AGE_S="0",
    ) as run:
        for service in ("worker", "identifier", "viewer"):
            run.start(service)
        run.ready()
        run.start("producer")
        yield run


def page_url(run: Services) -> str:
    return f"http://127.0.0.1:{run.env['VIEWER_PORT']}/"


def test_every_camera_moves_and_a_name_is_drawn(
    pipeline: Services, open_page: OpenPage, screenshot: Screenshot
) -> None:
    page = open_page(page_url(pipeline))
    for camera in ("stage", "dinner"):
        expect(page.locator(f'[data-camera="{camera}"]').first).to_be_visible()
        expect_moving(picture_of(page, f"camera:{camera}"))
    who = page.locator('[data-camera="stage"] [data-field="who"]')
    expect(who).to_contain_text(MIRANDA)
    screenshot(page, "pipeline-live")


def test_a_person_s_page_shows_only_frames_with_that_person(
    pipeline: Services, test_data: Path, open_page: OpenPage, screenshot: Screenshot
) -> None:
    state = page_url(pipeline) + "api/state.json"
    eventually(lambda: MIRANDA in httpx.get(state, timeout=60).text, what="his photo is enrolled")
    page: Page = open_page(page_url(pipeline) + "person/lin-manuel-miranda")
    expect(page.locator('[data-field="seen"]').first).to_contain_text("stage")
    analyser = FaceAnalyser.load()
    photo = cv2.imread(str(test_data / "clip_hamilton" / "ref" / "lin_manuel_miranda.png"))
    assert photo is not None
    reference = analyser.analyse_photo(photo.astype(np.uint8))[0].embedding
    snapshot = page_url(pipeline) + "snapshot/person/lin-manuel-miranda.jpg"
    seen: set[bytes] = set()
    best: list[float] = []
    while len(seen) < OF_MIRANDA:
        jpeg = httpx.get(snapshot).content
        if jpeg in seen:
            time.sleep(0.05)
            continue
        seen.add(jpeg)
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        likeness = [
            float(f.embedding @ reference) for f in analyser.analyse_photo(image.astype(np.uint8))
        ]
        best.append(max(likeness, default=-1.0))
    # Boxes are drawn over the face, and a track keeps its name while he looks aside.
    assert min(best) > 0.1
    assert np.median(best) > 0.3
    screenshot(page, "pipeline-person")


def test_someone_enrolled_over_http_is_named_on_the_page_within_two_seconds(
    pipeline: Services, kafka: str, test_data: Path, open_page: OpenPage, screenshot: Screenshot
) -> None:
    page = open_page(page_url(pipeline))
    who = page.locator('[data-camera="dinner"] [data-field="who"]')
    expect(who).to_contain_text("unknown")
    with (test_data / "clip_obama_dinner" / "ref" / "barack_obama.jpg").open("rb") as photo:
        answer = httpx.post(
            f"http://127.0.0.1:{pipeline.env['API_PORT']}/api/v1/people/Obama/faces",
            files={"file": photo},
            timeout=60,
        )
    enrolled_at = datetime.now(UTC)
    assert answer.status_code == 201, answer.text
    expect(who).to_contain_text("Obama")
    screenshot(page, "pipeline-enrolled")

    with reading(kafka, pipeline.env["TOPIC_IDENTIFIED"]) as reader:
        frames = [f for f in identified_frames(reader.read()) if f.frame.camera == "dinner"]
    captured = {f.frame.seq: f.frame.captured_at.ToDatetime(UTC) for f in frames}
    named = seqs_by_name(frames)["Obama"]
    assert captured[min(named)] < enrolled_at + timedelta(seconds=2)
