"""Makes the JSON of the System page out of the board, the groups and the findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypedDict

from services.doctor.check import State
from services.errors import ModelError
from services.models.packs import get_pack
from services.records.headers import rfc3339
from services.status.report import StatusReport
from viewer.system.board import Heard
from viewer.system.doctor import Findings
from viewer.system.lag import GroupState, LagState
from viewer.system.series import STEP_S, Grid, Line, last_of, make_series

_URGENCY: tuple[State, ...] = ("fail", "warn", "ok")


class InstanceJson(TypedDict):
    """One process; rates per second, times RFC 3339."""

    service: str
    instance: str
    state: str
    version: str
    started_at: str
    seen_at: str
    restarts: int
    problems: list[str]
    in_per_s: float
    out_per_s: float
    faces_per_s: float
    batch_mean: float | None
    batch_most: float | None
    p50_ms: float | None
    p95_ms: float | None
    stages_ms: dict[str, float]
    drops: dict[str, int]
    dead_letters: int
    reconnects: int
    lag: int | None
    watchers: int
    memory_mb: float
    cameras: int
    about: dict[str, str]


class PartitionJson(TypedDict):
    """One partition of a group's topic."""

    partition: int
    committed: int | None
    end: int
    lag: int
    member: str | None


class GroupJson(TypedDict):
    """One consumer group; `members` is null where the broker does not say."""

    role: str
    name: str
    topic: str
    state: str
    members: int | None
    no_topic: bool
    lag: int
    partitions: list[PartitionJson]


class PackJson(TypedDict):
    """A model pack in use; empty texts where this version does not know it."""

    name: str
    summary: str
    licence: str
    licence_url: str
    devices: list[str]
    used_by: list[str]


class CheckJson(TypedDict):
    """A finding of the doctor."""

    what: str
    state: str
    detail: str
    fix: str


class DoctorJson(TypedDict):
    """All findings."""

    at: str | None
    looking: bool
    checks: list[CheckJson]


class KafkaJson(TypedDict):
    """`answering` is null until it was asked."""

    answering: bool | None
    detail: str
    heard_at: str | None
    brokers: int


class SystemJson(TypedDict):
    """What `/api/system.json` says.

    `series` has one value each `step_s` seconds up to `until`, null where nothing is known;
    `figures` has the last of each.
    """

    now: str
    until: str
    step_s: float
    kafka: KafkaJson
    unreadable: int
    figures: dict[str, float | None]
    series: dict[str, Line]
    instances: list[InstanceJson]
    groups: list[GroupJson]
    packs: list[PackJson]


def make_document(
    now: datetime,
    heard: Sequence[Heard],
    unreadable: int,
    lag: LagState,
    lag_series: Mapping[str, Sequence[tuple[float, int]]],
) -> SystemJson:
    """The whole document.

    Args:
        now: the time.
        heard: the board.
        unreadable: records that were no reports.
        lag: the groups now.
        lag_series: the groups over time: seconds since 1970 and records, by role.
    """
    grid = Grid(now.timestamp(), heard)
    series = make_series(grid, heard, lag_series)
    return {
        "now": rfc3339(now),
        "until": rfc3339(datetime.fromtimestamp(grid.end_s, UTC)),
        "step_s": STEP_S,
        "kafka": {
            "answering": lag.answering,
            "detail": lag.detail,
            "heard_at": None if lag.heard_at is None else rfc3339(lag.heard_at),
            "brokers": lag.brokers,
        },
        "unreadable": unreadable,
        "figures": {name: last_of(line) for name, line in series.items()},
        "series": series,
        "instances": [_instance(each) for each in heard],
        "groups": [_group(group) for group in lag.groups],
        "packs": _packs(heard),
    }


def doctor_document(findings: Findings) -> DoctorJson:
    """The findings as JSON, what must be done first."""
    return {
        "at": None if findings.at is None else rfc3339(findings.at),
        "looking": findings.looking,
        "checks": [
            {"what": c.what, "state": c.state, "detail": c.detail, "fix": c.fix}
            for c in sorted(findings.checks, key=lambda c: _URGENCY.index(c.state))
        ],
    }


def _instance(heard: Heard) -> InstanceJson:
    report, numbers = heard.report, heard.report.numbers
    running = heard.state in ("ready", "waiting")
    return {
        "service": report.service,
        "instance": report.instance,
        "state": heard.state,
        "version": report.version,
        "started_at": rfc3339(report.started_at),
        "seen_at": rfc3339(heard.at),
        "restarts": heard.restarts,
        "problems": _problems(report) if heard.state == "waiting" else [],
        "in_per_s": numbers.frames_in_per_s if running else 0.0,
        "out_per_s": numbers.frames_out_per_s if running else 0.0,
        "faces_per_s": numbers.faces_per_s if running else 0.0,
        "batch_mean": None if numbers.batch is None or not running else numbers.batch.mean,
        "batch_most": None if numbers.batch is None or not running else numbers.batch.most,
        "p50_ms": None if numbers.delay is None or not running else numbers.delay.p50_ms,
        "p95_ms": None if numbers.delay is None or not running else numbers.delay.p95_ms,
        "stages_ms": numbers.stages_ms if running else {},
        "drops": numbers.drops,
        "dead_letters": numbers.dead_letters,
        "reconnects": numbers.reconnects,
        "lag": numbers.lag,
        "watchers": numbers.watchers,
        "memory_mb": numbers.memory_mb,
        "cameras": len(numbers.cameras) + numbers.more_cameras,
        "about": report.about,
    }


def _problems(report: StatusReport) -> list[str]:
    return [f"{name}: {part.detail}" for name, part in report.parts.items() if not part.ok]


def _group(state: GroupState) -> GroupJson:
    return {
        "role": state.group.role,
        "name": state.group.name,
        "topic": state.group.topic,
        "state": state.state,
        "members": state.members,
        "no_topic": state.no_topic,
        "lag": state.lag,
        "partitions": [
            {
                "partition": p.partition,
                "committed": p.committed,
                "end": p.end,
                "lag": p.lag,
                "member": p.member,
            }
            for p in state.partitions
        ],
    }


def _packs(heard: Sequence[Heard]) -> list[PackJson]:
    used: dict[str, list[Heard]] = {}
    for each in heard:
        if name := each.report.about.get("model_pack"):
            used.setdefault(name, []).append(each)
    return [_pack(name, users) for name, users in sorted(used.items())]


def _pack(name: str, users: Sequence[Heard]) -> PackJson:
    devices = {each.report.about.get("device", "") for each in users} - {""}
    found: PackJson = {
        "name": name,
        "summary": "",
        "licence": "",
        "licence_url": "",
        "devices": sorted(devices),
        "used_by": sorted({each.report.service for each in users}),
    }
    try:
        pack = get_pack(name)
    except ModelError:
        return found
    return {
        **found,
        "summary": pack.summary,
        "licence": pack.licence,
        "licence_url": pack.licence_url,
    }
