"""What is new, changed or to be matched again, and what is current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.cli.tag.inputs import Input, sha256_of
from services.cli.tag.manifest import Entry, Manifest
from services.cli.tag.store import is_kept


@dataclass(slots=True)
class Plan:
    """What is to be done.

    Attributes:
        detect: inputs whose pixels are to be looked at.
        match: inputs whose kept faces are to be matched again.
        current: inputs of which nothing is to be done.
        reasons: why, by the input's key; for those that are not current.
        digests: sha256 by the input's key.
    """

    detect: list[Input] = field(default_factory=list)
    match: list[Input] = field(default_factory=list)
    current: list[Input] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def is_current(self) -> bool:
        """Whether there is nothing to do."""
        return not self.detect and not self.match


def make_plan(inputs: Sequence[Input], out: Path, old: Manifest, new: Manifest) -> Plan:
    """Compare what is there with what was.

    Args:
        inputs: to be tagged.
        out: folder of outputs.
        old: of the last run.
        new: with the settings, people and labels of now; no entries yet.
    """
    plan = Plan()
    other_models = old.detection != new.detection
    why_again = _why_again(old, new)
    for each in inputs:
        known = old.entries.get(each.key)
        plan.digests[each.key] = digest = _digest(each, known)
        if known is None:
            why = "new"
        elif known.sha256 != digest:
            why = "the file has changed"
        elif other_models:
            why = "found with other settings or models"
        elif known.error:
            why = "it failed the last time"
        elif not is_kept(out, digest):
            why = "what was found in it is gone"
        else:
            why = ""
        if why:
            plan.detect.append(each)
        elif why := why_again or _missing(out, known):
            plan.match.append(each)
        else:
            plan.current.append(each)
            continue
        plan.reasons[each.key] = why
    return plan


def files_in(folder: Path) -> dict[str, str]:
    """sha256 of every file in a folder, by its path in it."""
    return {
        str(path.relative_to(folder)): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def changes_of(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Names of people, or of labels, whose files came, went or changed."""
    paths = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    return sorted({_name_of(path) for path in paths})


def _why_again(old: Manifest, new: Manifest) -> str:
    if old.matching != new.matching:
        return "named with other settings"
    if changed := changes_of(old.people, new.people):
        return f"taught or forgotten since: {', '.join(changed)}"
    if changed := changes_of(old.labels, new.labels):
        return f"other labels: {', '.join(changed)}"
    return ""


def _missing(out: Path, known: Entry | None) -> str:
    outputs = {} if known is None else known.outputs
    for name, digest in outputs.items():
        path = out / name
        if not path.is_file():
            return f"{name} is gone"
        if sha256_of(path) != digest:
            return f"{name} was changed by somebody else"
    return ""


def _digest(each: Input, known: Entry | None) -> str:
    stat = each.path.stat()
    unchanged = (
        known is not None
        and known.path == str(each.path)
        and (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    )
    return known.sha256 if unchanged and known is not None else sha256_of(each.path)


def _name_of(path: str) -> str:
    first = Path(path).parts[0]
    return first if first != path else Path(path).stem
