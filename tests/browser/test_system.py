"""The System page in a real browser, over a real viewer that hears reports from a topic."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from axe_playwright_python.sync_playwright import Axe
from confluent_kafka import Producer
from playwright.sync_api import Page, expect

from services.broker.memory import MemoryBroker
from services.kafka.clients import make_producer
from services.kafka.settings import KafkaSettings
from services.kafka.topics import ensure_topics, standing_topics
from services.status.report import Batches, CameraRates, Delay, StatusReport
from tests.browser.conftest import DESKTOP, PHONE, OpenPage
from tests.integration.viewer.conftest import RunningViewer

pytestmark = pytest.mark.browser

_STARTED_AT = datetime.now(UTC) - timedelta(hours=3)


class Settings(KafkaSettings):
    service_name: ClassVar[str] = "test"
    summary: ClassVar[str] = "a test"


class Fleet:
    """Services as the viewer knows them: by their reports. Nobody else is in the room."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic_status
        self._producer: Producer = make_producer(settings)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet")
        self.workers = ["box-1", "box-2"]

    def report_past(self, minutes: float) -> None:
        """As if all had been running for some minutes."""
        now = datetime.now(UTC)
        for step in range(int(minutes * 30), 0, -1):
            self._report(now - timedelta(seconds=2 * step))
        assert self._producer.flush(20) == 0

    def start(self) -> None:
        """Go on reporting every half second, for two seconds each."""
        self._thread.start()

    def stop(self) -> None:
        """Fall silent."""
        self._stop.set()
        self._thread.join()

    def say(self, report: StatusReport) -> None:
        """Publish one report."""
        self._producer.produce(self._topic, report.to_json(), key=report.key)
        self._producer.poll(0)

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            self._report(datetime.now(UTC))

    def _report(self, at: datetime) -> None:
        cameras = tuple(CameraRates(camera=name, in_per_s=12.5) for name in ("door", "hall"))
        self.say(
            said(at, "producer", "cam-1", frames_in_per_s=25, frames_out_per_s=25, cameras=cameras)
        )
        for name in self.workers:
            self.say(
                said(
                    at,
                    "worker",
                    name,
                    {"model_pack": "buffalo_s", "device": "cpu"},
                    frames_in_per_s=12.5,
                    frames_out_per_s=12.5,
                    faces_per_s=20,
                    batch=Batches(mean=3.2, most=8),
                    stages_ms={"decode": 2.1, "analyse": 31.4},
                    delay=Delay(p50_ms=88, p95_ms=140),
                )
            )
        about = {"model_pack": "buffalo_s", "gallery_references": "9", "gallery_people": "4"}
        self.say(
            said(
                at,
                "identifier",
                "id-1",
                about,
                frames_in_per_s=25,
                frames_out_per_s=25,
                faces_per_s=40,
                delay=Delay(p50_ms=380, p95_ms=450),
            )
        )


def said(
    at: datetime,
    service: str,
    instance: str,
    about: dict[str, str] | None = None,
    **numbers: object,
) -> StatusReport:
    return StatusReport.model_validate(
        {
            "service": service,
            "instance": instance,
            "version": "0.1.0",
            "started_at": _STARTED_AT,
            "at": at,
            "every_s": 2,
            "ready": True,
            "numbers": {"interval_s": 2, "memory_mb": 300, **numbers},
            "about": about or {},
        }
    )


@pytest.fixture(scope="module")
def broker() -> Iterator[Settings]:
    with MemoryBroker() as running:
        settings = Settings.load(env={"KAFKA_BOOTSTRAP_SERVERS": running.bootstrap_servers})
        ensure_topics(settings, standing_topics(settings))
        yield settings


@pytest.fixture(scope="module")
def fleet(broker: Settings) -> Iterator[Fleet]:
    made = Fleet(broker)
    made.report_past(9)
    made.start()
    yield made
    made.stop()


def run_viewer(settings: Settings, **env: str) -> RunningViewer:
    return RunningViewer(
        {
            "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "KAFKA_GROUP_PROTOCOL": "consumer",
            "KAFKA_FETCH_WAIT_MS": "10",
            **env,
        }
    )


@pytest.fixture(scope="module")
def running(broker: Settings, fleet: Fleet) -> Iterator[RunningViewer]:
    del fleet
    started = run_viewer(broker)
    yield started
    assert started.stop() == 0


def row(page: Page, instance: str) -> str:
    """What the table says of one process."""
    return (
        page.get_by_role("row")
        .filter(has=page.get_by_role("rowheader", name=instance))
        .inner_text()
    )


def is_drawn(page: Page) -> None:
    """Waits until the charts show something."""
    expect(page.locator(".chart .stroke.line-1[d^='M']").first).to_be_attached()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_whole_system_is_on_one_page(
    running: RunningViewer,
    open_page: OpenPage,
    screenshot: Callable[..., Path],
    size: tuple[int, int],
    scheme: str,
) -> None:
    page = open_page(f"{running.url}/system", size=size, scheme=scheme)
    is_drawn(page)
    frames = page.locator(".chart", has=page.get_by_role("heading", name="Frames/s"))
    expect(frames.locator("[data-series=frames_producer] b")).to_have_text("25.0")
    expect(frames.locator("[data-series=frames_worker] b")).to_have_text("25.0")
    expect(frames.get_by_role("img")).to_have_attribute(
        "aria-label",
        "Frames/s, the last ten minutes. "
        "Now: from cameras 25.0, through workers 25.0, with names 25.0.",
    )
    expect(page.locator("[data-series=workers] b")).to_have_text("2")
    expect(page.locator("[data-series=p95_identifier] b")).to_have_text("450 ms")
    expect(page.get_by_role("rowheader", name="box-2")).to_be_visible()
    expect(page.get_by_text("non-commercial research only")).to_be_visible()
    expect(page.get_by_role("heading", name="identifier API")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    screenshot(page, f"system-{scheme}-{'phone' if size == PHONE else 'desktop'}", whole=True)
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_the_table_says_how_each_process_is_doing(
    running: RunningViewer, open_page: OpenPage
) -> None:
    page = open_page(f"{running.url}/system")
    is_drawn(page)
    worker = row(page, "box-1")
    for part in ("ready", "12.5", "3.2", "88 ms", "140 ms", "300 MB", "0.1.0", "on cpu"):
        assert part in worker
    assert "4 people, 9 photos" in row(page, "id-1")
    assert "2 cameras" in row(page, "cam-1")


def test_a_worker_that_comes_and_goes_is_seen_without_a_reload(
    running: RunningViewer, open_page: OpenPage, fleet: Fleet
) -> None:
    page = open_page(f"{running.url}/system")
    is_drawn(page)
    details = page.locator("#stages-worker-box-1")
    details.locator("summary").click()
    details.locator("summary").focus()
    fleet.workers.append("box-3")
    expect(page.get_by_role("rowheader", name="box-3")).to_be_visible()
    # What somebody has opened stays open, and the keyboard stays where it was.
    assert details.get_attribute("open") is not None
    assert page.evaluate("document.activeElement.closest('details').id") == "stages-worker-box-1"
    fleet.workers.remove("box-3")
    fleet.say(said(datetime.now(UTC), "worker", "box-3").model_copy(update={"ending": True}))
    ended = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="box-3"))
    expect(ended).to_contain_text("ended")


def test_pointing_at_a_chart_tells_what_was_then(
    running: RunningViewer, open_page: OpenPage
) -> None:
    page = open_page(f"{running.url}/system")
    is_drawn(page)
    chart = page.locator(".chart", has=page.get_by_role("heading", name="Faces/s"))
    chart.locator("svg").hover(position={"x": 150, "y": 40})
    expect(chart.locator(".at")).to_contain_text("min ago")
    expect(chart.locator("b")).to_have_text("40.0")


def test_the_figures_are_there_as_a_table_too(running: RunningViewer, open_page: OpenPage) -> None:
    page = open_page(f"{running.url}/system")
    is_drawn(page)
    page.get_by_text("These figures as a table").click()
    cells = page.get_by_role("row").filter(has_text="Delay, to the name, 95 %").get_by_role("cell")
    expect(cells).to_have_text(["450 ms"] * 4)


def test_the_doctor_looks_again_when_asked(running: RunningViewer, open_page: OpenPage) -> None:
    page = open_page(f"{running.url}/system")
    api = page.locator(".finding", has=page.get_by_role("heading", name="identifier API"))
    expect(api).to_contain_text("set IDENTIFIER_URL")
    expect(page.locator("#verdict")).to_contain_text("to look at")
    with page.expect_response("**/system/doctor") as answer:
        page.get_by_role("button", name="Look again").click()
    assert answer.value.status == 200


def test_without_scripts_the_tables_and_figures_are_there(
    running: RunningViewer, open_page: OpenPage
) -> None:
    page = open_page(f"{running.url}/system", script=False)
    assert "ready" in row(page, "box-1")
    expect(page.locator("[data-series=frames_producer] b")).to_have_text("25.0")


def test_before_anything_runs_the_page_teaches_the_first_step(
    open_page: OpenPage, screenshot: Callable[..., Path]
) -> None:
    with MemoryBroker() as empty:
        settings = Settings.load(env={"KAFKA_BOOTSTRAP_SERVERS": empty.bootstrap_servers})
        started = run_viewer(settings, STATUS_EVERY_S="0")
        page = open_page(f"{started.url}/system")
        expect(page.get_by_text("No service has said anything yet")).to_be_visible()
        expect(page.get_by_text("There is no topic frames.raw yet")).to_be_visible()
        screenshot(page, "system-empty", whole=True)
        assert Axe().run(page).response["violations"] == []
        page.close()
        assert started.stop() == 0


def test_kafka_away_is_said_and_what_was_known_stays(open_page: OpenPage) -> None:
    broker = MemoryBroker()
    settings = Settings.load(env={"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers})
    ensure_topics(settings, standing_topics(settings))
    lonely = Fleet(settings)
    lonely.report_past(0.1)
    started = run_viewer(settings)
    page = open_page(f"{started.url}/system")
    expect(page.get_by_role("rowheader", name="box-1")).to_be_visible()
    del lonely
    broker.stop()
    expect(page.locator("#kafka-away")).to_be_visible()
    expect(page.get_by_role("rowheader", name="box-1")).to_be_visible()
    page.close()
    assert started.stop() == 0


def test_nothing_jumps_while_the_page_is_read(running: RunningViewer, open_page: OpenPage) -> None:
    open_page(f"{running.url}/system").close()  # the doctor has looked once
    page = open_page(f"{running.url}/system")
    is_drawn(page)
    with page.expect_response("**/system/now"):
        page.wait_for_load_state("networkidle")
    shifted = page.evaluate(
        """() => new Promise((resolve) => {
          let sum = 0;
          new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
          }).observe({ type: "layout-shift", buffered: true });
          setTimeout(() => resolve(sum), 200);
        })"""
    )
    assert shifted < 0.02
