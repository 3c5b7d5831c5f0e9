"""Writing what was found, and only what has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from services.cli.tag.found import Reference, facebox, names_in, references_of
from services.cli.tag.inputs import Input, sha256_of
from services.cli.tag.manifest import Entry, Manifest, Model, digest_of, write_whole
from services.cli.tag.render import Painter, find_labels, rate_of, target_name
from services.records.facestream_pb2 import IdentifiedFrame

_SHEET, _SUMMARY = "contact-sheet.jpg", "summary.json"


@dataclass(frozen=True, slots=True)
class Found:
    """An input and what was found in it, frame by frame."""

    input: Input
    sha256: str
    frames: Sequence[IdentifiedFrame] = field(repr=False)


class Writer:
    """Writes outputs, and notes in the manifest what they were made of.

    Args:
        out: folder of outputs.
        manifest: of this run; entries are put into it.
        labels: folder of label images; None draws boxes.

    Attributes:
        states: `new` or `updated` by the input's key; others are unchanged.
    """

    def __init__(self, out: Path, manifest: Manifest, labels: Path | None) -> None:
        self.out = out
        self._manifest = manifest
        self._labels = labels
        self.states: dict[str, str] = {}

    def models(self, models: Sequence[Model]) -> None:
        """The models that found the faces."""
        self._manifest.models = list(models)

    def failed(self, each: Input, sha256: str, error: str) -> None:
        """An input cannot be tagged."""
        self._manifest.entries[each.key] = self._entry(each, sha256, error=error)

    def incomplete(self, each: Input, error: str) -> None:
        """An input was tagged as far as it could be read."""
        entry = self._manifest.entries[each.key]
        entry.error = entry.error or error

    def write_all(self, found: Sequence[Found], references: Mapping[str, Reference]) -> None:
        """Write the outputs of these inputs, those whose answer is another than before."""
        slugs = {
            face.name: face.person
            for each in found
            for frame in each.frames
            for face in frame.faces
            if face.person
        }
        labels = None if self._labels is None else find_labels(self._labels, slugs)
        painter = Painter(labels)
        for each in found:
            self._write(each, references, labels, painter)

    def summarise(self, inputs: Sequence[Input]) -> None:
        """Write the contact sheet and the summary over all inputs, where they have changed."""
        entries = [(each.key, self._manifest.entries[each.key]) for each in inputs]
        rows = [
            {
                "input": key,
                "sha256": entry.sha256,
                "frames": entry.frames,
                "faces": entry.faces,
                "names": entry.names,
                "error": entry.error or None,
            }
            for key, entry in entries
        ]
        data = (json.dumps({"inputs": rows}, indent=1, ensure_ascii=False) + "\n").encode()
        path = self.out / _SUMMARY
        if not path.is_file() or path.read_bytes() != data:
            write_whole(path, data)
        if self.states or not (self.out / _SHEET).is_file():
            tiles = [
                (self.out / target_name(key, entry.kind), ", ".join(entry.names) or key)
                for key, entry in entries
                if not entry.error
            ]
            Painter(None).contact_sheet(self.out / _SHEET, tiles)

    def _write(
        self,
        found: Found,
        references: Mapping[str, Reference],
        labels: Mapping[str, Path] | None,
        painter: Painter,
    ) -> None:
        each, known = found.input, self._manifest.entries.get(found.input.key)
        frames = [facebox(frame) for frame in found.frames]
        used = references_of(found.frames, references)
        names = names_in(found.frames)
        drawn_with = None
        if labels is not None:
            shown = {face.person for frame in found.frames for face in frame.faces if face.person}
            drawn_with = {slug: sha256_of(labels[slug]) for slug in shown if slug in labels}
        answer = digest_of([found.sha256, frames, used, drawn_with])
        unchanged = known is not None and not known.error and known.answer == answer
        if unchanged and known is not None and self._outputs_are_there(known):
            return
        ref = found.frames[0].frame
        entry = self._entry(each, found.sha256)
        entry.camera, entry.session, entry.first_seq = ref.camera, ref.session, ref.seq
        entry.frames, entry.answer, entry.names = len(found.frames), answer, names
        entry.faces = sum(len(frame.faces) for frame in found.frames)
        target = target_name(each.key, each.kind)
        provenance = {
            "input": {"path": str(each.path), "sha256": found.sha256},
            "photos": used,
            "models": [model.model_dump() for model in self._manifest.models],
            "settings": self._manifest.detection | self._manifest.matching,
            "facestream": version("facestream"),
        }
        if each.kind == "picture":
            written = f"{each.key}.json"
            self._put_json(written, frames[0] | {"provenance": provenance})
            painter.picture(each.path, self.out / target, found.frames[0])
        else:
            written = f"{each.key}.jsonl"
            self._put_lines(written, found, frames, provenance)
            painter.video(each.path, self.out / target, found.frames)
        entry.outputs = {name: sha256_of(self.out / name) for name in (written, target)}
        self._manifest.entries[each.key] = entry
        self.states[each.key] = "new" if known is None or known.error else "updated"

    def _outputs_are_there(self, known: Entry) -> bool:
        return all(
            (self.out / name).is_file() and sha256_of(self.out / name) == digest
            for name, digest in known.outputs.items()
        )

    def _put_json(self, name: str, value: dict[str, Any]) -> None:
        text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        write_whole(self.out / name, text.encode())

    def _put_lines(
        self,
        name: str,
        found: Found,
        frames: Sequence[dict[str, Any]],
        provenance: dict[str, Any],
    ) -> None:
        """One line per frame; the first line says what all of them were made of."""
        frames_per_s = rate_of(found.input.path)
        lines = [json.dumps({"provenance": provenance}, ensure_ascii=False)]
        for frame, answer in zip(found.frames, frames, strict=True):
            seq = frame.frame.seq
            place = {"frame": seq, "time_s": round(seq / frames_per_s, 3)}
            lines.append(json.dumps(place | answer, ensure_ascii=False))
        write_whole(self.out / name, ("\n".join(lines) + "\n").encode())

    @staticmethod
    def _entry(each: Input, sha256: str, error: str = "") -> Entry:
        stat = each.path.stat()
        return Entry(
            kind=each.kind,
            path=str(each.path),
            sha256=sha256,
            size=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            error=error,
        )
