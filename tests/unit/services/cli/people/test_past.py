"""Commands about the past, against answers made of the identifier's own shapes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from identifier.api.backfills import BackfillAnswer
from identifier.api.erase import ErasureAnswer, KeptShape
from identifier.api.explain_shapes import (
    ExplainedFrame,
    ExplainedPhoto,
    ExplainedTrack,
    ExplanationAnswer,
)
from identifier.api.problems import ProblemError, handle_problems
from identifier.api.server import ApiServer
from identifier.api.shapes import BoxShape, PersonAnswer, PersonShape
from identifier.api.sightings_shapes import SightingsAnswer, SightingShape
from identifier.api.sightings_shapes import WhoShape as SeenAs
from identifier.api.unknowns_shapes import (
    DeletedAnswer,
    NamedAnswer,
    SaidAnswer,
    UnknownsAnswer,
    UnknownShape,
    WhoShape,
)
from services.cli import explain
from services.cli.people import command, sightings, unknowns
from services.errors import FacestreamError, SettingsError

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
ID = "0123456789abcdef" * 2
JPEG = b"\xff\xd8 a picture"

Said = pytest.CaptureFixture[str]


class Asked(BaseModel):
    """A request that came in."""

    method: str
    path: str
    query: dict[str, str]
    body: Any


class Past:
    """What the API answers in a test, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.backfills = [backfill("queued", 0), backfill("running", 50), backfill("done", 100)]
        self.proof = erasure(remaining=[])

    def last(self) -> Asked:
        return self.asked[-1]


def backfill(state: str, faces: int) -> BackfillAnswer:
    return BackfillAnswer.model_validate(
        {
            "id": ID, "person": "sam", "name": "Sam", "since": AT, "state": state,
            "faces": faces, "faces_total": 100, "hits": faces // 10, "sightings": faces // 50,
            "rate_faces_s": 1234.5, "error": "Kafka is away" if state == "failed" else "",
            "created_at": AT, "ended_at": None,
        }
    )  # fmt: skip


def erasure(remaining: list[str]) -> ErasureAnswer:
    kept = KeptShape(topic="frames.raw", holds="frames", retention_ms=3_600_000, expires_at=AT)
    return ErasureAnswer(
        at=AT,
        removed={"photos": 2, "sightings": 3},
        kept=[kept],
        not_removed=["backups of the database"],
        remaining=remaining,
        verified=not remaining,
    )


def explanation() -> ExplanationAnswer:
    return ExplanationAnswer(
        id=ID,
        found_by="live",
        person=None,
        unknown=None,
        track=ExplainedTrack(
            camera="door", session="", started_at=AT, last_at=AT, ended=True, frames=3,
            first_seq=0, last_seq=2,
        ),
        frame=ExplainedFrame(
            topic="frames.raw", partition=0, offset=7, seq=1, captured_at=AT, width=640,
            height=360, box=BoxShape(x=0, y=0, width=9, height=9), score=0.9, quality=0.8,
            retained=False, address=f"/api/v1/sightings/{ID}/frame",
        ),
        model_pack="buffalo_s",
        models=[],
        photo=ExplainedPhoto(
            id=ID, sha256="", enrolled_at=AT, state="kept",
            address=f"/api/v1/people/sam/faces/{ID}/photo",
        ),
        match=None,
        text="sighting  Sam\nframe     frames.raw/0/7\n",
    )  # fmt: skip


def sighting(number: int) -> SightingShape:
    known = number % 2 == 0
    return SightingShape(
        id=f"{number:032x}", camera="door", session="", frames=17, found_by="live", crop=None,
        person=SeenAs(slug="sam", name="Sam") if known else None,
        unknown=None if known else number,
        started_at=AT, last_at=AT + timedelta(seconds=42), best_at=AT, ended=True,
        best_similarity=0.612345 if known else None, mean_similarity=None, threshold=None,
        quality=0.8, score=0.9, box=BoxShape(x=0, y=0, width=9, height=9), frame_width=640,
        frame_height=360,
    )  # fmt: skip


def past_app(past: Past) -> FastAPI:
    app = FastAPI()
    handle_problems(app)
    sam = PersonShape(
        slug="sam", name="Sam", threshold=None, created_at=AT, faces=1, notes="", sightings=2,
        last_seen=None,
    )  # fmt: skip

    @app.middleware("http")
    async def note(request: Request, answer: Any) -> Response:
        body = await request.body()
        past.asked.append(
            Asked(
                method=request.method,
                path=request.url.path.removeprefix("/api/v1/"),
                query=dict(request.query_params),
                body=json.loads(body) if body else None,
            )
        )
        response: Response = await answer(request)
        return response

    @app.get("/api/v1/people/sam")
    def person() -> PersonAnswer:
        return PersonAnswer(person=sam, faces=[])

    @app.post("/api/v1/people/sam/erase")
    def erase() -> ErasureAnswer:
        return past.proof

    @app.post("/api/v1/backfills", status_code=202)
    @app.get(f"/api/v1/backfills/{ID}")
    @app.post(f"/api/v1/backfills/{ID}/cancel")
    def a_backfill() -> BackfillAnswer:
        return past.backfills.pop(0)

    add_sightings(app)
    add_unknowns(app)
    return app


def add_sightings(app: FastAPI) -> None:
    @app.get("/api/v1/sightings")
    def some_sightings(limit: int, after: int = 0) -> SightingsAnswer:
        page = [sighting(number) for number in range(after, after + min(limit, 2))]
        following = after + len(page)
        return SightingsAnswer(sightings=page, next=str(following) if following < 5 else None)

    @app.get(f"/api/v1/sightings/{ID}/explanation")
    def explained() -> ExplanationAnswer:
        return explanation()

    @app.get(f"/api/v1/sightings/{ID}/crop")
    @app.get(f"/api/v1/people/sam/faces/{ID}/photo")
    def picture() -> Response:
        return Response(JPEG, media_type="image/jpeg")

    @app.get(f"/api/v1/sightings/{ID}/frame")
    def frame() -> Response:
        raise ProblemError(410, "frame-expired", "frames.raw does not keep that frame any more")

    @app.post(f"/api/v1/sightings/{ID}/not-this-person")
    @app.post(f"/api/v1/sightings/{ID}/person")
    def said() -> SaidAnswer:
        return SaidAnswer(sighting=ID, person=None, unknown=8)


def add_unknowns(app: FastAPI) -> None:
    one = UnknownShape(
        number=7, person=None, ignored=False, sightings=4, first_at=AT, last_at=AT,
        cameras=["door"], best=[ID],
    )  # fmt: skip

    @app.get("/api/v1/unknowns")
    def some_unknowns() -> UnknownsAnswer:
        return UnknownsAnswer(unknowns=[one], next=None)

    @app.post("/api/v1/unknowns/7/name")
    def named() -> NamedAnswer:
        who = WhoShape(slug="sam", name="Sam")
        refused = ["the face is 20 pixels"]
        return NamedAnswer(number=7, person=who, sightings=4, references=[ID], refused=refused)

    @app.post("/api/v1/unknowns/7/merge")
    @app.post("/api/v1/unknowns/7/ignore")
    def changed() -> UnknownShape:
        return one

    @app.delete("/api/v1/unknowns/7")
    def forgotten() -> DeletedAnswer:
        return DeletedAnswer(sightings=4, crops=4, events=8)


@pytest.fixture
def past(monkeypatch: pytest.MonkeyPatch) -> Iterator[Past]:
    past = Past()
    server = ApiServer(past_app(past), "127.0.0.1", 0)
    server.start()
    monkeypatch.setenv("IDENTIFIER_URL", f"http://127.0.0.1:{server.port}")
    monkeypatch.delenv("IDENTIFIER_TOKEN", raising=False)
    yield past
    server.stop()


def test_a_backfill_is_followed_until_it_is_done(past: Past, capsys: Said) -> None:
    assert command.main(["backfill", "sam", "--since", "2026-11-01T00:00Z"]) == 0
    started = next(asked for asked in past.asked if asked.path == "backfills")
    assert started.body == {"person": "sam", "since": "2026-11-01T00:00:00Z"}
    said = capsys.readouterr().out
    assert "looking for Sam since" in said
    assert "done: 100 faces looked at, 1,234 faces/s, 10 hits in 2 sightings" in said


def test_a_backfill_that_fails_says_why(past: Past, capsys: Said) -> None:
    past.backfills = [backfill("queued", 0), backfill("failed", 50)]
    assert command.main(["backfill", "sam"]) == 1
    assert "failed: Kafka is away; until then 50 faces" in capsys.readouterr().err


def test_a_backfill_may_be_left_to_itself_or_ended(past: Past, capsys: Said) -> None:
    assert command.main(["backfill", "sam", "--no-wait"]) == 0
    assert [asked.path for asked in past.asked] == ["people/sam", "backfills"]
    past.backfills = [backfill("cancelled", 50)]
    assert command.main(["backfill", "--cancel", ID]) == 0
    assert f"backfill {ID}: cancelled; 50 faces" in capsys.readouterr().out


def test_ctrl_c_leaves_the_search_running_and_says_so(
    past: Past, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("services.cli.people.backfill.time.sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command.main(["backfill", "sam"])
    assert f"goes on in the identifier; to end it: facestream people backfill --cancel {ID}" in (
        " ".join(capsys.readouterr().err.split())
    )
    assert past.last().method == "POST"


def test_erasing_prints_the_proof(past: Past, capsys: Said) -> None:
    assert command.main(["erase", "sam", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "photos     2 removed" in said
    assert "frames.raw: frames; gone by itself by 2026-11-20" in said
    assert "not ours to remove: backups of the database" in said
    assert "nothing is left" in said


def test_an_erasure_that_left_something_is_a_failure(past: Past, capsys: Said) -> None:
    past.proof = erasure(remaining=["topic faces.person.sam"])
    assert command.main(["erase", "sam", "--yes"]) == 1
    assert "still there: topic faces.person.sam" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "status", "asked"), [("Sam\n", 0, True), ("Sma\n", 1, False)])
def test_erasing_wants_the_name_typed(
    past: Past, monkeypatch: pytest.MonkeyPatch, typed: str, status: int, asked: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert command.main(["erase", "sam"]) == status
    assert ("people/sam/erase" in [each.path for each in past.asked]) is asked


def test_sightings_are_listed_across_pages_up_to_the_limit(past: Past, capsys: Said) -> None:
    assert sightings.main(["--limit", "3"]) == 0
    listed = capsys.readouterr().out
    assert "Unknown 1" in listed
    assert listed.count("door") == 3
    assert "0.61" in listed
    assert sightings.main(["--all", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 6


def test_sightings_are_filtered_by_the_api(past: Past) -> None:
    sightings.main(
        [
            *("--person", "sam", "--camera", "door", "--since", "2026-11-01T00:00Z"),
            *("--until", "2026-11-02T00:00Z", "--min-score", "0.5", "--limit", "1"),
        ]
    )
    assert past.last().query == {
        "person": "sam",
        "camera": "door",
        "since": "2026-11-01T00:00:00Z",
        "until": "2026-11-02T00:00:00Z",
        "min_score": "0.5",
        "limit": "1",
    }
    sightings.main(["--unknown", "--limit", "1"])
    assert past.last().query == {"named": "false", "limit": "1"}
    sightings.main(["--unknown", "7", "--limit", "1"])
    assert past.last().query == {"unknown": "7", "limit": "1"}


def test_sightings_as_csv_can_be_read_again(past: Past, capsys: Said) -> None:
    sightings.main(["--limit", "2", "--csv"])
    first, second = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (first["who"], first["slug"], first["similarity"]) == ("Sam", "sam", "0.6123")
    assert (second["who"], second["unknown"], second["similarity"]) == ("Unknown 1", "1", "")
    assert first["camera"] == "door"
    assert first["from"] == "2026-11-20T08:30:00Z"


def test_a_sighting_can_be_taken_from_a_person_and_given_to_one(past: Past) -> None:
    assert sightings.main(["--not-this-person", ID]) == 0
    assert past.last().path == f"sightings/{ID}/not-this-person"
    assert sightings.main(["--this-is", ID, "Sam"]) == 0
    assert past.last().body == {"person": "Sam"}


def test_an_explanation_is_printed_and_its_pictures_saved_while_they_are_there(
    past: Past, tmp_path: Path, capsys: Said
) -> None:
    assert explain.main([ID]) == 0
    assert capsys.readouterr().out == "sighting  Sam\nframe     frames.raw/0/7\n"
    assert explain.main([ID, "--save", str(tmp_path / "why")]) == 1
    assert "frame: frames.raw does not keep that frame any more" in capsys.readouterr().err
    saved = {file.name: file.read_bytes() for file in (tmp_path / "why").iterdir()}
    assert saved == {"crop.jpg": JPEG, "photo.jpg": JPEG}
    assert explain.main([ID, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frame"]["offset"] == 7


def test_an_unknown_sighting_is_told_in_the_api_s_words(past: Past) -> None:
    with pytest.raises(FacestreamError, match="Not Found"):
        explain.main(["../../people/sam"])
    assert "people/sam" not in [asked.path for asked in past.asked]


def test_unknowns_are_listed_named_merged_ignored_and_forgotten(past: Past, capsys: Said) -> None:
    assert unknowns.main(["list", "--named"]) == 0
    assert past.last().query["named"] == "true"
    assert "door" in capsys.readouterr().out
    assert unknowns.main(["name", "7", "Sam"]) == 0
    said = capsys.readouterr()
    assert "Unknown 7 is Sam now, in 4 past sightings too; 1 reference photo made" in said.out
    assert "a look was not used: the face is 20 pixels" in said.err
    assert unknowns.main(["merge", "7", "3"]) == 0
    assert past.last().body == {"into": 3}
    assert unknowns.main(["ignore", "7"]) == 0
    assert past.last().body == {"ignored": True}
    assert unknowns.main(["ignore", "7", "--undo"]) == 0
    assert past.last().body == {"ignored": False}
    assert unknowns.main(["forget", "7"]) == 0
    assert past.last().method == "DELETE"
    with pytest.raises(SettingsError, match="a number from 1 on"):
        unknowns.main(["name", "seven", "Sam"])
