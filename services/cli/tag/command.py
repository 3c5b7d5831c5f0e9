"""`facestream tag`: plan, run what is to be run, write what has changed, tell."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from services.cli import screen
from services.cli.tag import store
from services.cli.tag.inputs import Input, find_inputs
from services.cli.tag.manifest import Manifest, Model, load_manifest, save_manifest
from services.cli.tag.outputs import Found, Writer
from services.cli.tag.pipeline import Pipeline
from services.cli.tag.plan import Plan, changes_of, files_in, make_plan
from services.cli.tag.reading import try_to_read
from services.cli.tag.settings import Options, parse, relevant
from services.errors import SettingsError
from services.lifecycle.stopping import StopSignal, install_signal_handlers
from services.records.facestream_pb2 import ProcessedFrame

_PICTURES = "pictures"


def main(argv: Sequence[str] = ()) -> int:
    """Tag, or check; 1 when something could not be tagged, or is not current."""
    options = parse(argv)
    inputs = find_inputs(options.paths, options.out)
    old, new = load_manifest(options.out), _as_it_is_now(options)
    plan = make_plan(inputs, options.out, old, new)
    if options.check:
        return _check(plan)
    new.entries, new.models = dict(old.entries), list(old.models)
    writer = Writer(options.out, new, options.labels)
    if not plan.is_current:
        _carry_out(options, plan, old, new, writer)
    return _tell(inputs, plan, old, new, writer)


def _as_it_is_now(options: Options) -> Manifest:
    people = files_in(options.people)
    if not people:
        raise SettingsError(f"--people {options.people}: no photo there; put `<name>/*.jpg` in it")
    detection, matching = relevant()
    labels = {} if options.labels is None else files_in(options.labels)
    if options.labels is not None and not labels:
        raise SettingsError(f"--labels {options.labels}: no image there")
    return Manifest(detection=detection, matching=matching, people=people, labels=labels)


def _check(plan: Plan) -> int:
    for key, why in plan.reasons.items():
        screen.console.print(f"{escape(key)}: {escape(why)}", soft_wrap=True)
    if plan.is_current:
        print("current")
    return 0 if plan.is_current else 1


def _carry_out(options: Options, plan: Plan, old: Manifest, new: Manifest, writer: Writer) -> None:
    stop = StopSignal()
    install_signal_handlers(stop)
    sound: list[Input] = []
    for each in plan.detect:
        if error := try_to_read(each):
            writer.failed(each, plan.digests[each.key], error)
        else:
            sound.append(each)
    with ExitStack() as at_exit:
        scratch = Path(at_exit.enter_context(tempfile.TemporaryDirectory(prefix="facestream-tag-")))
        sources, camera_of = _staged(sound, scratch)
        if sources or plan.match:
            pipeline = at_exit.enter_context(Pipeline(scratch, options.people, stop))
            _run(pipeline, sound, plan, old, sources, camera_of, writer)
    store.forget_all_but(options.out, {entry.sha256 for entry in new.entries.values()})
    save_manifest(options.out, new)


def _run(
    pipeline: Pipeline,
    sound: Sequence[Input],
    plan: Plan,
    old: Manifest,
    sources: dict[str, Path],
    camera_of: dict[str, tuple[str, int]],
    writer: Writer,
) -> None:
    def stored() -> Iterator[ProcessedFrame]:
        for each in plan.match:
            yield from store.kept(writer.out, plan.digests[each.key])

    total = sum(old.entries[each.key].frames for each in plan.match)
    total += sum(each.kind == "picture" for each in sound)
    only_pictures = all(each.kind == "picture" for each in sound)
    with Progress(
        TextColumn("frames"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=screen.console,
        disable=not screen.console.is_terminal,
        transient=True,
    ) as bar:
        task = bar.add_task("", total=total if only_pictures else None)
        collector = pipeline.run(sources, stored, lambda done: bar.update(task, completed=done))
    if not pipeline.enrolled():
        refused = "; ".join(pipeline.refused_photos()) or "no photo there"
        raise SettingsError(f"nobody could be enrolled: {refused}")
    for line in pipeline.refused_photos():
        screen.console.print(f"photo not taken: {escape(line)}", soft_wrap=True)
    broken = pipeline.broken_sources()
    found = []
    for each in sound:
        camera, seq = camera_of[each.key]
        frames = collector.processed(camera)
        named = collector.identified(camera)
        if each.kind == "picture":
            frames = [frame for frame in frames if frame.frame.seq == seq]
            named = [frame for frame in named if frame.frame.seq == seq]
        if not named:
            why = broken.get(camera, "no frame of it came through")
            writer.failed(each, plan.digests[each.key], why)
            continue
        store.keep(writer.out, plan.digests[each.key], frames)
        writer.models(
            [Model(role=f.role, name=f.name, sha256=f.sha256) for f in frames[0].models.files]
        )
        found.append(Found(each, plan.digests[each.key], named))
    for each in plan.match:
        entry = old.entries[each.key]
        named = collector.identified(entry.camera)
        if each.kind == "picture":
            named = [frame for frame in named if frame.frame.seq == entry.first_seq]
        found.append(Found(each, plan.digests[each.key], named))
    slugs = {
        face.person for f in found for frame in f.frames for face in frame.faces if face.person
    }
    writer.write_all(found, pipeline.references(sorted(slugs)))
    for each in sound:
        if each.kind == "video" and (error := broken.get(camera_of[each.key][0])):
            writer.incomplete(each, error)


def _staged(
    sound: Sequence[Input], scratch: Path
) -> tuple[dict[str, Path], dict[str, tuple[str, int]]]:
    """Sources for the producer, and camera and number of every input: pictures share a camera."""
    run = scratch.name.rsplit("-", 1)[-1]
    sources: dict[str, Path] = {}
    camera_of = {}
    pictures = scratch / _PICTURES
    for each in sound:
        if each.kind == "picture":
            pictures.mkdir(exist_ok=True)
            number = len(list(pictures.iterdir()))
            suffix = each.path.suffix.lower() or ".jpg"
            (pictures / f"{number:08d}{suffix}").symlink_to(each.path.resolve())
            camera_of[each.key] = (f"{_PICTURES}-{run}", number)
            sources[f"{_PICTURES}-{run}"] = pictures
        else:
            camera = f"video-{run}-{len(sources)}"
            camera_of[each.key] = (camera, 0)
            sources[camera] = each.path.resolve()
    return sources, camera_of


def _tell(inputs: Sequence[Input], plan: Plan, old: Manifest, new: Manifest, writer: Writer) -> int:
    table = Table("input", "frames", "faces", "who", "")
    keys = [each.key for each in inputs]
    states = Counter[str]()
    for key in keys:
        entry = new.entries[key]
        state = "failed" if entry.error else writer.states.get(key, "unchanged")
        states[state] += 1
        who = entry.error if entry.error else ", ".join(entry.names) or "–"
        table.add_row(escape(key), str(entry.frames), str(entry.faces), escape(who), state)
    screen.console.print(table)
    because = _because(old, new, writer)
    parts = [
        f"{states[state]} {state}{because if state == 'updated' else ''}"
        for state in ("new", "updated", "unchanged", "failed")
        if states[state]
    ]
    noun = "input" if len(keys) == 1 else "inputs"
    screen.console.print(f"{len(keys)} {noun}: {', '.join(parts)}", soft_wrap=True)
    if not plan.is_current:
        writer.summarise(inputs)
    return 1 if states["failed"] else 0


def _because(old: Manifest, new: Manifest, writer: Writer) -> str:
    """Who was taught or forgotten, of those in the inputs that were updated."""
    updated = [key for key, state in writer.states.items() if state == "updated"]
    shown = {name for key in updated for m in (old, new) for name in m.entries[key].names}
    taught = [name for name in changes_of(old.people, new.people) if name in shown]
    return f" ({', '.join(taught)})" if taught else ""
