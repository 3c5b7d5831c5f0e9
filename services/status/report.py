"""What a service says of itself every two seconds: one JSON record of `facestream.status`.

Fields are only ever added; a reader leaves aside what it does not know.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from services.errors import RecordError

MOST_CAMERAS = 64
MOST_BYTES = 65_536
"""A longer record is nobody's report."""

_Short = Annotated[str, Field(max_length=200)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Figure = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, le=10**15)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class HealthPart(_Part):
    """One thing the service needs, as `/readyz` has it."""

    ok: bool
    detail: _Short = ""


class CameraRates(_Part):
    """Frames/s of one camera."""

    camera: _Name
    in_per_s: _Figure = 0.0
    out_per_s: _Figure = 0.0


class Batches(_Part):
    """Frames per batch; `most` is the upper edge of the histogram's bucket, a power of two."""

    mean: _Figure
    most: _Figure


class Delay(_Part):
    """Milliseconds from capture to this service's publishing, as well as a histogram knows."""

    p50_ms: _Figure
    p95_ms: _Figure


class Numbers(_Part):
    """What was measured since the report before.

    Attributes:
        interval_s: seconds that they are about.
        frames_in_per_s: frames read.
        frames_out_per_s: frames published, acknowledged; for a viewer, frames drawn.
        faces_per_s: faces found or matched.
        cameras: the busiest `MOST_CAMERAS`.
        more_cameras: how many others had frames.
        batch: None where there was none.
        stages_ms: mean milliseconds per stage.
        delay: None where no frame came out.
        drops: frames left out on purpose, by reason.
        late: frames released after a later one.
        dead_letters: records sent to a dead-letter topic.
        reconnects: times a source was opened again.
        lag: records this service itself knows to be waiting; None where it reads no topic.
        watchers: browsers with an open stream.
        memory_mb: resident memory.
    """

    interval_s: _Figure
    frames_in_per_s: _Figure = 0.0
    frames_out_per_s: _Figure = 0.0
    faces_per_s: _Figure = 0.0
    cameras: tuple[CameraRates, ...] = Field((), max_length=MOST_CAMERAS)
    more_cameras: _Count = 0
    batch: Batches | None = None
    stages_ms: dict[_Name, _Figure] = Field(default_factory=dict, max_length=32)
    delay: Delay | None = None
    drops: dict[_Name, _Count] = Field(default_factory=dict, max_length=32)
    late: _Count = 0
    dead_letters: _Count = 0
    reconnects: _Count = 0
    lag: _Count | None = None
    watchers: _Count = 0
    memory_mb: _Figure = 0.0


class StatusReport(_Part):
    """One service, one moment.

    Attributes:
        service: producer, worker, identifier, viewer.
        instance: which of them; the same after a restart where it has a name of its own.
        version: of facestream.
        started_at: when the process began.
        at: when this was written, by its own clock.
        every_s: how often it reports.
        ending: whether this is its last report.
        ready: whether every part is.
        parts: what it needs.
        numbers: what was measured.
        about: what else there is to know: `model_pack`, `device`, `gallery_version`.
    """

    service: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z][a-z0-9_-]*$")]
    instance: _Name
    version: _Short
    started_at: AwareDatetime
    at: AwareDatetime
    every_s: Annotated[float, Field(gt=0, le=86_400)]
    ending: bool = False
    ready: bool = False
    parts: dict[_Name, HealthPart] = Field(default_factory=dict, max_length=32)
    numbers: Numbers
    about: dict[_Name, _Short] = Field(default_factory=dict, max_length=32)

    @property
    def key(self) -> str:
        """Key of the record."""
        return f"{self.service}/{self.instance}"

    def to_json(self) -> bytes:
        """The value of the record."""
        return self.model_dump_json().encode()


def parse_report(value: bytes | None) -> StatusReport:
    """Read a record's value.

    Raises:
        RecordError: it is no report.
    """
    if not value or len(value) > MOST_BYTES:
        raise RecordError("not-a-report", f"{len(value or b'')} bytes")
    try:
        return StatusReport.model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordError("not-a-report", f"{where}: {first['msg']}") from None


def shortened(text: str, most: int = 200) -> str:
    """A text that fits into a report."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def is_same_run(one: StatusReport, other: StatusReport) -> bool:
    """Whether two reports of an instance come from one process."""
    return _second(one.started_at) == _second(other.started_at)


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
