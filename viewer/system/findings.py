"""What the viewer can tell from where it stands: reports, groups, its own settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.doctor.check import Check
from viewer.system.board import Heard
from viewer.system.lag import LagState
from viewer.texts import Texts

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
    heard: Sequence[Heard], lag: LagState, delays_ms: Sequence[tuple[str, int]], t: Texts
) -> Iterator[Check]:
    """Every check of what the services say, in the order of the data path.

    Args:
        heard: the status board.
        lag: the consumer groups.
        delays_ms: cameras that are live, each with the delay of its pictures, milliseconds.
        t: every sentence.
    """
    if not heard:
        yield Check(t("doctor.reports"), "warn", t("doctor.no_reports"), t("doctor.no_reports_fix"))
        return
    yield _producers(heard, t)
    yield _workers(heard, t)
    yield from _behind(heard, lag, t)
    yield _identifiers(heard, t)
    yield from _not_well(heard, t)
    yield _packs(heard, t)
    yield _versions(heard, t)
    yield _clocks(heard, t)
    yield from _late(delays_ms, t)


def page_check(facts: PageFacts, t: Texts) -> Check:
    """Who can see the page, and whether somebody on the way can read along."""
    name = t("doctor.access")
    if facts.loopback_only:
        said = t("doctor.access_here") if facts.login else t("doctor.access_here_open")
        return Check(name, "ok", said)
    if not facts.login:
        return Check(name, "fail", t("doctor.access_open"), t("doctor.access_open_fix"))
    if facts.https is False:
        return Check(name, "warn", t("doctor.access_plain"), t("doctor.access_plain_fix"))
    return Check(name, "ok", t("doctor.access_login"))


def _producers(heard: Sequence[Heard], t: Texts) -> Check:
    name, running = t("doctor.producers"), _running(heard, "producer")
    if not running:
        gone = _of(heard, "producer")
        if gone and all(each.state == "ended" for each in gone):
            return Check(name, "ok", t("doctor.sources_ended"))
        return Check(name, "warn", t("doctor.no_producer"), t("doctor.no_producer_fix"))
    if not any(each.report.numbers.frames_in_per_s for each in running):
        said = t("doctor.no_frames", n=len(running))
        return Check(name, "warn", said, t("doctor.no_frames_fix"))
    return Check(name, "ok", t("doctor.frames", n=len(running)))


def _workers(heard: Sequence[Heard], t: Texts) -> Check:
    name, running = t("doctor.workers"), _running(heard, "worker")
    ready = [each for each in running if each.state == "ready"]
    if not running:
        return Check(name, "fail", t("doctor.no_worker"), t("doctor.no_worker_fix"))
    if not ready:
        said = t("doctor.none_ready", n=len(running))
        return Check(name, "warn", said, t("doctor.see_log"))
    return Check(name, "ok", t("doctor.running", n=len(running)))


def _behind(heard: Sequence[Heard], lag: LagState, t: Texts) -> Iterator[Check]:
    for group in lag.groups:
        role, waiting = group.group.role, group.lag
        rate = sum(each.report.numbers.frames_in_per_s for each in _running(heard, role))
        if waiting > 20 and waiting > 10 * rate:
            yield Check(
                t("doctor.group", role=role),
                "warn",
                t("doctor.behind_by", n=waiting, seconds=f"{waiting / rate:.0f}")
                if rate
                else t("doctor.behind", n=waiting),
                t("doctor.behind_worker_fix") if role == "worker" else t("doctor.behind_fix"),
            )


def _identifiers(heard: Sequence[Heard], t: Texts) -> Check:
    name, running = t("doctor.identifiers"), _running(heard, "identifier")
    if not running:
        return Check(name, "fail", t("doctor.no_identifier"), t("doctor.no_identifier_fix"))
    if all(each.report.about.get("gallery_references") == "0" for each in running):
        return Check(name, "warn", t("doctor.nobody"), t("doctor.nobody_fix"))
    return Check(name, "ok", t("doctor.running", n=len(running)))


def _not_well(heard: Sequence[Heard], t: Texts) -> Iterator[Check]:
    for each in heard:
        name = _name(each)
        if each.state == "gone":
            yield Check(name, "warn", t("doctor.gone"), t("doctor.gone_fix"))
        elif each.state == "waiting":
            parts = [
                f"{part}: {state.detail or t('doctor.not_ready')}"
                for part, state in each.report.parts.items()
                if not state.ok
            ]
            said = "; ".join(parts) or t("doctor.not_ready")
            yield Check(name, "warn", said, t("doctor.see_log"))
        if each.restarts >= 3:
            said = t("doctor.restarts", n=each.restarts)
            yield Check(name, "warn", said, t("doctor.restarts_fix"))


def _packs(heard: Sequence[Heard], t: Texts) -> Check:
    name = t("doctor.models")
    used: dict[str, list[Heard]] = {}
    for each in heard:
        pack = each.report.about.get("model_pack")
        if pack and each.state in ("ready", "waiting"):
            used.setdefault(pack, []).append(each)
    if not used:
        return Check(name, "warn", t("doctor.no_pack"))
    if len(used) > 1:
        who = "; ".join(f"{pack}: {_named(group, t)}" for pack, group in sorted(used.items()))
        return Check(name, "fail", t("doctor.packs", who=who), t("doctor.packs_fix"))
    pack, devices = next(iter(used)), {each.report.about.get("device", "") for each in heard}
    device = next(iter(sorted(devices - {""})), None)
    return Check(
        name, "ok", pack if device is None else t("doctor.pack_on", pack=pack, device=device)
    )


def _versions(heard: Sequence[Heard], t: Texts) -> Check:
    name = t("doctor.versions")
    versions = sorted({each.report.version for each in heard if each.state in ("ready", "waiting")})
    if len(versions) > 1:
        said = t("doctor.versions_differ", versions=", ".join(versions))
        return Check(name, "warn", said, t("doctor.versions_differ_fix"))
    return Check(name, "ok", "".join(versions) or t("doctor.nothing_runs"))


def _clocks(heard: Sequence[Heard], t: Texts) -> Check:
    name = t("doctor.clocks")
    off = [
        (each, each.ahead_s)
        for each in heard
        if each.ahead_s is not None and abs(each.ahead_s) > _CLOCK_OFF_S
    ]
    if not off:
        return Check(name, "ok", t("doctor.clocks_agree"))
    ahead_s = max((ahead_s for _, ahead_s in off), key=abs)
    told = {"who": _named([one for one, _ in off], t), "seconds": f"{abs(ahead_s):.1f}"}
    said = t("doctor.clock_ahead", **told) if ahead_s > 0 else t("doctor.clock_behind", **told)
    return Check(name, "warn", said, t("doctor.clocks_fix"))


def _late(delays_ms: Sequence[tuple[str, int]], t: Texts) -> Iterator[Check]:
    late = [(name, delay) for name, delay in delays_ms if delay > _LATE_MS]
    if late:
        camera, delay = max(late, key=lambda pair: pair[1])
        said = t("doctor.late", camera=camera, seconds=f"{delay / 1_000:.0f}")
        yield Check(t("doctor.delay"), "warn", said, t("doctor.late_fix"))


def _of(heard: Sequence[Heard], service: str) -> list[Heard]:
    return [each for each in heard if each.report.service == service]


def _running(heard: Sequence[Heard], service: str) -> list[Heard]:
    return [each for each in _of(heard, service) if each.state in ("ready", "waiting")]


def _name(each: Heard) -> str:
    return f"{each.report.service} {each.report.instance}"


def _named(heard: Sequence[Heard], t: Texts) -> str:
    first = ", ".join(_name(each) for each in heard[:_MOST_NAMED])
    more = len(heard) - _MOST_NAMED
    return t("doctor.and_more", first=first, n=more) if more > 0 else first
