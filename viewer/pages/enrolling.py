"""Sends photos to the identifier, and says what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from werkzeug.datastructures import FileStorage

from viewer.identifier import File, Identifier, IdentifierProblem, Json
from viewer.pages.photo_quality import Quality, quality_of
from viewer.texts import Texts

MOST_FILES = 50
_LONGEST_NAME = 200
# Refusals that `force` overrules.
_FORCEABLE = ("face-too-small", "low-score", "strong-pose", "blurred")
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevx", b"mif1", b"msf1", b"heif")

State = Literal["added", "known", "refused"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one photo.

    Attributes:
        file_name: as the browser called it.
        state: `known` when the person had this very photo already.
        detail: one sentence where it was refused.
        reason: the same in one word.
        may_force: whether it would be taken if one insists.
        person: whose photo it is now (`PersonShape`).
        face: what was found in it (`FaceShape`).
        quality: what that is worth.
        like: somebody else whom it looks like (`LikeShape`).
    """

    file_name: str
    state: State
    detail: str = ""
    reason: str = ""
    may_force: bool = False
    person: Json | None = None
    face: Json | None = None
    quality: Quality | None = None
    like: Json | None = None

    @property
    def document(self) -> Json:
        """For a script."""
        return {
            "file_name": self.file_name,
            "state": self.state,
            "detail": self.detail,
            "reason": self.reason,
            "may_force": self.may_force,
            "person": self.person,
            "face": self.face,
            "grade": None if self.quality is None else self.quality.grade,
            "like": self.like,
        }


def address(*parts: str) -> str:
    """A path of the identifier from parts that may have any character."""
    # A part of dots alone would be taken for a way up.
    quoted = (quote(part, safe="") for part in parts)
    return "".join("/" + (part if part.strip(".") else part.replace(".", "%2E")) for part in quoted)


def enrol(
    identifier: Identifier,
    texts: Texts,
    name: str,
    files: Sequence[FileStorage],
    *,
    force: bool = False,
) -> list[Outcome]:
    """Add photos to a person, who is made if need be.

    Args:
        identifier: keeps them.
        texts: for refusals of our own.
        name: of the person, or their slug.
        files: as they came; `MOST_FILES` at most are taken.
        force: whether small, uncertain, turned and blurred faces are taken as well.

    Raises:
        IdentifierAway: it does not answer.
    """
    name = " ".join(name.split())[:_LONGEST_NAME]
    given = [file for file in files if file.filename]
    if not name:
        return [Outcome("", "refused", texts("people.no_name"), "no-name")]
    if not given:
        return [Outcome("", "refused", texts("people.no_file"), "no-file")]
    outcomes = [_enrol_one(identifier, texts, name, file, force) for file in given[:MOST_FILES]]
    outcomes += [
        Outcome(_name_of(file), "refused", texts("people.too_many", n=MOST_FILES), "too-many")
        for file in given[MOST_FILES:]
    ]
    return outcomes


def _enrol_one(
    identifier: Identifier, texts: Texts, name: str, file: FileStorage, force: bool
) -> Outcome:
    file_name, data = _name_of(file), file.read()
    if is_heic(data):
        return Outcome(file_name, "refused", texts("people.heic"), "unsupported-format")
    try:
        answer = identifier.send(
            "POST",
            address("people", name, "faces"),
            file=File("application/octet-stream", data),
            params={"force": "true"} if force else None,
        )
    except IdentifierProblem as refused:
        if refused.status in (401, 403):
            raise
        may_force = not force and refused.reason in _FORCEABLE
        return Outcome(
            file_name, "refused", sentence(refused.detail), refused.reason, may_force=may_force
        )
    return Outcome(
        file_name,
        "added" if answer["added"] else "known",
        person=answer["person"],
        face=answer["face"],
        quality=quality_of(answer["face"]),
        like=answer.get("warning"),
    )


def is_heic(data: bytes) -> bool:
    """Whether a file is a HEIC or HEIF picture, as iPhones take them (ISO/IEC 23008-12)."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS


def sentence(detail: str) -> str:
    """The identifier's words, as a sentence of a page."""
    detail = detail.strip()
    return f"{detail[:1].upper()}{detail[1:]}{'' if detail.endswith(('.', '!', '?')) else '.'}"


def _name_of(file: FileStorage) -> str:
    return (file.filename or "")[:200]
