"""What the viewer can tell from where it stands: reports, groups, its own settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.doctor.check import Check
from viewer.system.board import Heard
from viewer.system.lag import LagState

_CLOCK_OFF_S = 1.0
_LATE_MS = 10_000
_MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class PageFacts:
    """How the page itself is reached.

    Attributes:
        loopback_only: whether only this machine can.
        login: whether somebody has to log in.
        https: whether what is sent is encrypted; None where that is not known.
        data_dir: where this machine keeps what is kept; None where the viewer keeps nothing.
    """

    loopback_only: bool = True
    login: bool = False
    https: bool | None = None
    data_dir: Path | None = None


def fleet_checks(
    heard: Sequence[Heard], lag: LagState, delays_ms: Sequence[tuple[str, int]]
) -> Iterator[Check]:
    """Every check of what the services say, in the order of the data path.

    Args:
        heard: the status board.
        lag: the consumer groups.
        delays_ms: cameras that are live, each with the delay of its pictures, milliseconds.
    """
    if not heard:
        yield Check(
            "reports",
            "warn",
            "no service says how it is doing",
            "wait a few seconds; is STATUS_EVERY_S 0, or TOPIC_STATUS another there?",
        )
        return
    yield _producers(heard)
    yield _workers(heard)
    yield from _behind(heard, lag)
    yield _identifiers(heard)
    yield from _not_well(heard)
    yield _packs(heard)
    yield _versions(heard)
    yield _clocks(heard)
    yield from _late(delays_ms)


def page_check(facts: PageFacts) -> Check:
    """Who can see the page, and whether somebody on the way can read along."""
    if facts.loopback_only:
        who = "log in" if facts.login else "are let in without login"
        return Check("access", "ok", f"only this machine reaches the page; visitors {who}")
    if not facts.login:
        return Check(
            "access",
            "fail",
            "whoever reaches this address sees and changes everything",
            "set VIEWER_PASSWORD_HASH or VIEWER_USERS=true",
        )
    if facts.https is False:
        return Check(
            "access",
            "warn",
            "visitors log in, but nothing is encrypted on the way",
            "put a reverse proxy with TLS in front: docs/access.md",
        )
    return Check("access", "ok", "visitors log in")


def _producers(heard: Sequence[Heard]) -> Check:
    running = _running(heard, "producer")
    if not running:
        gone = _of(heard, "producer")
        if gone and all(each.state == "ended" for each in gone):
            return Check("producers", "ok", "every source has been read to its end")
        return Check(
            "producers", "warn", "none runs", "start `facestream producer` or use the Cameras page"
        )
    if not any(each.report.numbers.frames_in_per_s for each in running):
        return Check(
            "producers", "warn", f"{_count(running)}, no frames come in", "see the Cameras page"
        )
    return Check("producers", "ok", f"{_count(running)}, frames come in")


def _workers(heard: Sequence[Heard]) -> Check:
    running = _running(heard, "worker")
    ready = [each for each in running if each.state == "ready"]
    if not running:
        return Check(
            "workers", "fail", "none runs: no faces are found", "start `facestream worker`"
        )
    if not ready:
        return Check(
            "workers", "warn", f"{_count(running)}, none ready yet", "wait, or see its log"
        )
    return Check("workers", "ok", _count(running))


def _behind(heard: Sequence[Heard], lag: LagState) -> Iterator[Check]:
    for group in lag.groups:
        running = _running(heard, group.group.role)
        rate = sum(each.report.numbers.frames_in_per_s for each in running)
        if group.lag > 20 and group.lag > 10 * rate:
            remedy = (
                "start more workers, or lower frames/s at the cameras"
                if group.group.role == "worker"
                else "give it more CPU"
            )
            wait = f", {group.lag / rate:.0f} s of work" if rate else ""
            yield Check(
                f"{group.group.role} group", "warn", f"{group.lag} records wait{wait}", remedy
            )


def _identifiers(heard: Sequence[Heard]) -> Check:
    running = _running(heard, "identifier")
    if not running:
        return Check(
            "identifiers", "fail", "none runs: nobody gets a name", "start `facestream identifier`"
        )
    if all(each.report.about.get("gallery_references") == "0" for each in running):
        return Check("identifiers", "warn", "nobody is enrolled yet", "add people: People page")
    return Check("identifiers", "ok", _count(running))


def _not_well(heard: Sequence[Heard]) -> Iterator[Check]:
    for each in heard:
        name = f"{each.report.service} {each.report.instance}"
        if each.state == "gone":
            yield Check(
                name, "warn", "silent, and said no goodbye", "did it crash? its log says why"
            )
        elif each.state == "waiting":
            parts = [
                f"{part}: {state.detail or 'not ready'}"
                for part, state in each.report.parts.items()
                if not state.ok
            ]
            yield Check(name, "warn", "; ".join(parts) or "not ready", "wait, or see its log")
        if each.restarts >= 3:
            yield Check(
                name, "warn", f"began {each.restarts} times anew in ten minutes", "see its log"
            )


def _packs(heard: Sequence[Heard]) -> Check:
    used: dict[str, list[Heard]] = {}
    for each in heard:
        pack = each.report.about.get("model_pack")
        if pack and each.state in ("ready", "waiting"):
            used.setdefault(pack, []).append(each)
    if not used:
        return Check("models", "warn", "nobody says which model pack runs")
    if len(used) > 1:
        who = "; ".join(f"{pack}: {_named(group)}" for pack, group in sorted(used.items()))
        return Check(
            "models",
            "fail",
            f"faces of different packs cannot be compared: {who}",
            "set MODEL_PACK alike everywhere",
        )
    devices = sorted({each.report.about.get("device", "") for each in heard} - {""})
    return Check("models", "ok", " on ".join([next(iter(used)), *devices[:1]]))


def _versions(heard: Sequence[Heard]) -> Check:
    versions = sorted({each.report.version for each in heard if each.state in ("ready", "waiting")})
    if len(versions) > 1:
        return Check("versions", "warn", f"{', '.join(versions)} run side by side", "update all")
    return Check("versions", "ok", "".join(versions) or "nothing runs")


def _clocks(heard: Sequence[Heard]) -> Check:
    off = [
        (each, each.ahead_s)
        for each in heard
        if each.ahead_s is not None and abs(each.ahead_s) > _CLOCK_OFF_S
    ]
    if off:
        ahead_s = max((ahead_s for _, ahead_s in off), key=abs)
        side = "ahead of" if ahead_s > 0 else "behind"
        return Check(
            "clocks",
            "warn",
            f"{_named([one for one, _ in off])}: up to {abs(ahead_s):.1f} s {side} the viewer's",
            "let NTP set the clocks: delays and MAX_FRAME_AGE_S go by them",
        )
    return Check("clocks", "ok", "within a second of each other")


def _late(delays_ms: Sequence[tuple[str, int]]) -> Iterator[Check]:
    late = [(name, delay) for name, delay in delays_ms if delay > _LATE_MS]
    if late:
        name, delay = max(late, key=lambda pair: pair[1])
        yield Check(
            "delay",
            "warn",
            f"pictures of {name} are {delay / 1_000:.0f} s old when they come",
            "is its clock right, or the machine too slow? see lag above",
        )


def _of(heard: Sequence[Heard], service: str) -> list[Heard]:
    return [each for each in heard if each.report.service == service]


def _running(heard: Sequence[Heard], service: str) -> list[Heard]:
    return [each for each in _of(heard, service) if each.state in ("ready", "waiting")]


def _count(heard: Sequence[Heard]) -> str:
    return f"{len(heard)} running"


def _named(heard: Sequence[Heard]) -> str:
    names = [f"{each.report.service} {each.report.instance}" for each in heard]
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
