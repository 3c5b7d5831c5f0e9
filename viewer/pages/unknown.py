"""Those who were seen and have no name: who they are, one by one or several at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, abort, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from viewer.access.flask import needs, visitor
from viewer.identifier import Identifier, IdentifierProblem, Json
from viewer.pages.enrolling import address, sentence
from viewer.pages.parts import Parts, wants_json
from viewer.texts import Texts

_PER_PAGE = 24
_SIGHTINGS = 24
_MOST_AT_ONCE = 200
_HIGHEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one unknown.

    Attributes:
        number: theirs.
        good: whether it went as wanted.
        text: one sentence or two.
        gone: whether they are not in the list any more.
    """

    number: int
    good: bool
    text: str
    gone: bool = False

    @property
    def document(self) -> Json:
        """For a script."""
        return {"number": self.number, "good": self.good, "text": self.text, "gone": self.gone}


def unknown_pages(parts: Parts) -> Blueprint:
    """`/unknown` and `/unknown/<number>`."""
    routes = Blueprint("unknown", __name__)
    identifier = parts.identifier

    def shown(told: Sequence[Told] = (), status: int = 200) -> tuple[str, int]:
        ignored = "ignored" in request.args
        found = identifier.get(
            "/unknowns",
            limit=_PER_PAGE,
            after=request.args.get("after", "")[:200],
            ignored="true" if ignored else None,
        )
        page = render_template(
            "unknown.html",
            unknowns=found["unknowns"],
            next=found["next"],
            ignored=ignored,
            after=request.args.get("after", ""),
            names=_names(identifier),
            told=told,
        )
        return page, status

    @routes.get("/unknown")
    @needs("read")
    def unknowns() -> tuple[str, int]:
        return shown()

    @routes.post("/unknown")
    @needs("teach")
    def change() -> BaseResponse | tuple[str, int]:
        """Name, merge, ignore or forget all whose numbers the form has."""
        numbers = numbers_of(request.form.getlist("number"))
        action = request.form.get("action", "")
        if not numbers:
            abort(422, parts.texts("unknown.none_chosen"))
        if action == "forget" and not visitor().may("erase"):
            abort(403, parts.texts("unknown.may_not_forget"))
        told = _Changes(identifier, parts.texts).do(action, numbers, request.form)
        if wants_json():
            return jsonify(told=[each.document for each in told])
        return shown(told, 200 if any(each.good for each in told) else 422)

    @routes.get("/unknown/<int:number>")
    @needs("read")
    def one(number: int) -> BaseResponse | str:
        found = identifier.get(address("unknowns", str(min(number, _HIGHEST))))
        if found["number"] != number:
            return redirect(f"/unknown/{found['number']}", 303)
        sightings = identifier.get(
            "/sightings",
            unknown=number,
            limit=_SIGHTINGS,
            after=request.args.get("after", "")[:200],
        )
        return render_template(
            "unknown_one.html",
            unknown=found,
            sightings=sightings["sightings"],
            next=sightings["next"],
            names=_names(identifier),
        )

    return routes


def numbers_of(texts: Sequence[str]) -> list[int]:
    """Numbers as a form has them, each once, in their order; what is none is left out."""
    found = [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 11]
    return list(dict.fromkeys(one for one in found if 0 < one <= _HIGHEST))[:_MOST_AT_ONCE]


@dataclass(frozen=True, slots=True)
class _Changes:
    """Does what a form asks for, number by number: one that is refused does not stop the rest."""

    identifier: Identifier
    texts: Texts

    def do(self, action: str, numbers: list[int], form: Mapping[str, str]) -> list[Told]:
        """Do it.

        Raises:
            werkzeug.exceptions.HTTPException: the form does not say what it needs to.
        """
        if action == "name":
            name = _text(form, "name")
            if not name:
                abort(422, self.texts("unknown.no_name"))
            return self._each(numbers, lambda number: self._name(number, name))
        if action == "merge":
            into = numbers_of([_text(form, "into").lstrip("#")])
            # Several that are chosen become the oldest of them.
            target = into[0] if into else min(numbers)
            others = [number for number in numbers if number != target]
            if not others:
                abort(422, self.texts("unknown.merge_needs_two"))
            return self._each(others, lambda number: self._merge(number, target))
        if action in ("ignore", "notice"):
            ignored = action == "ignore"
            return self._each(numbers, lambda number: self._ignore(number, ignored))
        if action != "forget":
            abort(422, self.texts("unknown.no_action"))
        return self._each(numbers, self._forget)

    def _each(self, numbers: Sequence[int], work: Callable[[int], Told]) -> list[Told]:
        told = []
        for number in numbers:
            try:
                told.append(work(number))
            except IdentifierProblem as refused:
                if refused.status in (401, 403):
                    raise
                text = self.texts("unknown.refused", n=number, why=sentence(refused.detail))
                told.append(Told(number, False, text))
        return told

    def _name(self, number: int, name: str) -> Told:
        named = self.identifier.send("POST", _path(number, "name"), json={"name": name})
        return Told(number, True, what_naming_came_to(named, self.texts), gone=True)

    def _merge(self, number: int, into: int) -> Told:
        kept = self.identifier.send("POST", _path(number, "merge"), json={"into": into})
        text = self.texts("unknown.merged", n=number, into=kept["number"])
        return Told(number, True, text, gone=True)

    def _ignore(self, number: int, ignored: bool) -> Told:
        self.identifier.send("POST", _path(number, "ignore"), json={"ignored": ignored})
        text = self.texts("unknown.ignored_now" if ignored else "unknown.noticed_now", n=number)
        return Told(number, True, text, gone=ignored)

    def _forget(self, number: int) -> Told:
        gone = self.identifier.send("DELETE", _path(number))
        text = self.texts(
            "unknown.forgotten", n=number, sightings=gone["sightings"], crops=gone["crops"]
        )
        return Told(number, True, text, gone=True)


def what_naming_came_to(named: Json, texts: Texts) -> str:
    """One line: how many sightings carry the name now, which crops became photos, which not."""
    photos, refused = len(named["references"]), list(named["refused"])
    said = [
        texts(
            "unknown.named",
            n=named["number"],
            name=named["person"]["name"],
            sightings=named["sightings"],
        ),
        texts("unknown.photos_1") if photos == 1 else texts("unknown.photos", n=photos),
    ]
    if refused:
        said.append(texts("unknown.not_used", why=" ".join(sentence(why) for why in refused)))
    return " ".join(said)


def _names(identifier: Identifier) -> list[str]:
    """The first names of the gallery, to choose from without scripts."""
    return [str(one["name"]) for one in identifier.get("/people", limit=100)["people"]]


def _path(number: int, *more: str) -> str:
    return address("unknowns", str(number), *more)


def _text(form: Mapping[str, str], name: str) -> str:
    return " ".join(form.get(name, "").split())[:200]
