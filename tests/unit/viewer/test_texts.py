"""Every sentence comes from the catalogue, and every sentence that is asked for is there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.certificate import DISTRUST
from services.doctor.check import Check
from services.doctor.cluster import (
    Cluster,
    broker_check,
    cluster_checks,
    dead_letters_check,
    topic_settings_check,
    topics_check,
)
from services.doctor.machine import disk
from services.doctor.words import ENGLISH as CHECKS
from services.kafka.topics import standing_topics, topic_spec
from services.lifecycle.health import Health
from services.records.facestream_pb2 import Box, FrameRef, IdentifiedFace, IdentifiedFrame
from services.words import Say
from tests.unit.viewer.pictures import Clock, mark, picture
from tests.unit.viewer.sightings.listed import sighting
from tests.unit.viewer.system.reports import NOW, report
from tests.unit.viewer.system.reports import Clock as WallClock
from viewer.access.assembly import AccessOptions, open_access
from viewer.access.visitors import Visitor
from viewer.app import make_system
from viewer.board import Board, Key
from viewer.identifier import Identifier
from viewer.pages import make_pages
from viewer.pages.parts import Parts
from viewer.pages.sightings.export import csv_parts
from viewer.pictures import picture_of
from viewer.settings import ViewerSettings
from viewer.state import StateReader
from viewer.system.board import StatusBoard
from viewer.system.findings import PageFacts, fleet_checks, page_check
from viewer.system.lag import GroupState, LagState, PartitionLag, WatchedGroup
from viewer.system.system import identifier_check
from viewer.texts import Texts

VIEWER = Path(__file__).parents[3] / "viewer"
MODULES = sorted(VIEWER.rglob("*.py"))
NOBODY = "http://127.0.0.1:9"
# A key as a literal; `t("a.b_" ~ kind)` is put together where the page is drawn.
KEY = re.compile(
    r"""\b(?:t|texts|_t|_texts|_said|line|BadRequest|NoSeat|NotTaken)\(\s*(?:\d+,\s*)?"""
    r"""["']([a-z_]+\.[a-z_0-9]+)["']\s*[,)]"""
)


class Foreign(Texts):
    """A language of which nobody here knows a word: its sentences are their keys."""

    def __call__(self, key: str, **values: object) -> str:
        super().__call__(key, **values)  # the key is there, and has all its values
        return f"<{key}>"


T = Foreign()


@pytest.mark.parametrize("file", [*MODULES, *sorted(VIEWER.glob("templates/*.html"))], ids=str)
def test_what_a_module_or_template_says_is_in_the_catalogue(file: Path) -> None:
    texts = Texts()
    missing = {key for key in KEY.findall(file.read_text(encoding="utf-8")) if key not in texts}
    assert missing == set()


@pytest.mark.parametrize(("sentences", "page"), [(CHECKS, "doctor"), (DISTRUST, "certificate")])
def test_what_is_said_on_a_terminal_too_has_the_same_words_on_the_page(
    sentences: Mapping[str, str], page: str
) -> None:
    texts = Texts()
    assert {key: texts(f"{page}.{key}") for key in sentences} == sentences


def test_captions_and_names_on_pictures_are_of_the_catalogue_s_language() -> None:
    clock = Clock()
    board = Board(2.0, 3_600, T, clock=clock, now=clock.now)
    board.enrol([("kim", "Kim")])
    board.show(picture(1, "hall", mark("sam", "Sam")))
    waiting = board.view(Key("person", "kim"))
    clock.seconds += 10
    board.tick()
    silent, gone = (board.view(Key(*key)) for key in (("camera", "hall"), ("person", "sam")))
    assert waiting is not None
    assert silent is not None
    assert gone is not None
    assert waiting.caption == ("<pictures.waiting>",)
    assert silent.caption == ("<pictures.no_signal>", "<pictures.since>")
    assert gone.caption == ("<pictures.last_seen>", "<pictures.time_and_camera>")
    ref = FrameRef(camera="hall", session="s", seq=7, width=640, height=360)
    ref.captured_at.FromDatetime(NOW)
    box = Box(x=1, y=2, width=3, height=4)
    faces = [IdentifiedFace(box=box, unknown=7), IdentifiedFace(box=box)]
    marks = picture_of(IdentifiedFrame(frame=ref, faces=faces), b"", T).marks
    assert [mark.name for mark in marks] == ["<pictures.unknown_n>", "<pictures.unknown>"]


def test_all_that_the_doctor_says_is_of_the_catalogue_s_language() -> None:
    """Over a fleet with everything wrong with it, and one with nothing in it."""
    clock = WallClock()
    board = StatusBoard(clock)
    waiting = [PartitionLag(0, 0, 9_000, 9_000)]
    lag = LagState(
        True,
        "",
        NOW,
        1,
        [
            GroupState(WatchedGroup(role, "g", "t"), "stable", 1, waiting)
            for role in ("worker", "identifier")
        ],
    )
    found = list(fleet_checks(board.instances(), lag, [], T))
    for each in (
        report(service="producer", instance="cam", in_per_s=0),
        report(instance="w", ready=False, model_pack="a", version="1"),
        report(NOW + timedelta(seconds=9), instance="w2", model_pack="b", version="2"),
        report(service="identifier", instance="i", gallery_references="0"),
        *(report(instance="x", started_at=NOW - timedelta(minutes=n)) for n in range(5, 0, -1)),
    ):
        board.add(each)
    found += fleet_checks(board.instances(), lag, [("hall", 60_000)], T)
    clock.forward(100)
    found += fleet_checks(board.instances(), lag, [], T)
    found += [
        page_check(PageFacts(here, login, https), T)
        for here in (True, False)
        for login in (True, False)
        for https in (True, False)
    ]
    found += [identifier_check(Identifier(url, texts=T), T) for url in (None, NOBODY)]
    found += said_of_clusters(T.of("doctor"))
    own = re.compile(r"(<(doctor|identifier)\.[a-z_0-9]+>)?")
    instance = re.compile(r"(producer|worker|identifier) \w+")
    pack_or_version = re.compile(r"[a-z_]+|[\d.]+")
    for check in found:
        assert own.fullmatch(check.what) or instance.fullmatch(check.what), check
        assert own.fullmatch(check.fix), check
        parts = re.sub(r"partitions: none yet", "", check.detail)  # what the service itself said
        assert own.fullmatch(parts) or pack_or_version.fullmatch(parts), check


def said_of_clusters(say: Say) -> Iterator[Check]:
    """Every check of a cluster and a disk, over what is well and what is not."""
    settings = ViewerSettings.load([], {})
    well = {name: topic_spec(settings, name).config for name in standing_topics(settings)}
    small, short = (
        {name: config | {setting: "1"} for name, config in well.items()}
        for setting in ("max.message.bytes", "retention.ms")
    )
    for brokers, config, letters in ((1, well, {}), (3, small, {"a.dlq": 1}), (3, short, {})):
        found = Cluster(brokers, brokers == 1, frozenset(config), config, letters)
        yield broker_check(settings, found, say)
        yield topics_check(settings, found, say)
        yield topics_check(settings, replace(found, topics=frozenset()), say)
        yield topic_settings_check(settings, found, say)
        yield dead_letters_check(found, say)
    nobody = ViewerSettings.load([], {"KAFKA_BOOTSTRAP_SERVERS": NOBODY.removeprefix("http://")})
    yield from cluster_checks(nobody, 0.2, say)
    yield disk(Path("/"), say)


def test_the_last_row_of_a_file_that_is_cut_short_is_of_the_catalogue_s_language() -> None:
    one = sighting("2026-11-21T06:00:00+00:00")
    assert b"<sightings.export_cut>" in b"".join(csv_parts([[one, one]], T, most=1))


@pytest.mark.parametrize(("method", "status"), [("GET", 404), ("DELETE", 405)])
def test_a_page_and_its_problems_are_of_the_catalogue_s_language(
    tmp_path: Path, method: str, status: int
) -> None:
    texts = Foreign()
    texts.language = "xx"
    identifier, state = Identifier(None), StateReader(Board(2), Health())
    pages = make_pages(
        Parts(state, identifier, texts),
        open_access(AccessOptions(tmp_path), identifier, texts),
        make_system(ViewerSettings.load([], {}), state, identifier, texts),
    )
    scope = {"asgi.scope": {"visitor": Visitor("sam", "", frozenset({"streams"}))}}
    path = "/" if method == "DELETE" else "/nowhere"
    with pages.test_client() as client:
        answer = client.open(path, method=method, environ_overrides=scope)
    assert answer.status_code == status
    assert '<html lang="xx">' in answer.text
    assert f"&lt;base.error_{status}&gt;" in answer.text
    assert f"&lt;base.error_{status}_detail&gt;" in answer.text
