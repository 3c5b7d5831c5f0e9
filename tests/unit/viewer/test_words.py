"""No words for people stand outside the catalogue: in no module, template or script of the page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import jinja2
import pytest

VIEWER = Path(__file__).parents[3] / "viewer"
# What is read on the terminal where the viewer is started, and the module that scripts get.
LEFT_OUT = ("access/binding.py", "access/settings.py", "settings.py", "texts/__init__.py")
MODULES = sorted(set(VIEWER.rglob("*.py")) - {VIEWER / name for name in LEFT_OUT})
TEMPLATES = sorted(VIEWER.glob("templates/*.html"))
SCRIPTS = sorted(VIEWER.glob("static/*.js"))

WORD = re.compile(r"[A-Za-z’']+[.,:;!?]?")
# Read by who runs or changes the viewer: on its terminal, or in a traceback.
FOR_DEVELOPERS = (
    *("BrokerError", "ConnectionAbortedError", "NotImplementedError", "RetriableError"),
    *("SettingsError", "ValueError"),
)
NOT_FOR_PEOPLE = {
    ": still here\n\n",  # keeps a stream of events open
    "ASGI callable returned without",  # what uvicorn logs
    "Kafka does not answer",  # health, as every service tells of itself
    "Not taken",  # title of a problem (RFC 9457): scripts show its detail
}
# Names of makers and of what they make are the same in every language.
NAMES = {"facestream", "Amcrest", "Axis", "Dahua", "HiLook", "Hikvision", "MJPEG", "Reolink"} | {
    *("Protect", "TP-Link", "Tapo", "UniFi")
}
SHOWN = ("alt", "aria-label", "label", "placeholder", "title")
# Names of classes, selectors, and errors that scripts raise for themselves.
NOT_SHOWN_BY_SCRIPTS = re.compile(
    r"""className =[^;]*;|new Error\("[^"]*"\)|\b(closest|matches)\([^)]*\)"""
)
EXAMPLE = "rtsp://user:password@192.168.1.20:554/stream"


def is_said(text: str) -> bool:
    """Whether two words follow each other."""
    return any(
        WORD.fullmatch(first) and WORD.fullmatch(second) and second[0].islower()
        for first, second in pairwise(text.split())
    )


def not_shown(tree: ast.Module) -> Iterator[ast.AST]:
    """Docstrings, log lines and what developers' errors say."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()):
                yield node
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log"))):
                yield node
            case ast.Call(func=ast.Name(id=name)) if name in FOR_DEVELOPERS:
                yield node


def said_by_module(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    left_out = {id(part) for node in not_shown(tree) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.JoinedStr):
            left_out |= {id(part) for part in ast.walk(node)}
            parts = (
                ast.literal_eval(p) if isinstance(p, ast.Constant) else "…" for p in node.values
            )
            text = "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        else:
            continue
        if is_said(text) and text not in NOT_FOR_PEOPLE:
            yield text


class Shown(HTMLParser):
    """Collects what of a page is read out, without commands to copy."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._code += tag == "code"
        self.texts += [value for name, value in attrs if name in SHOWN and value]

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        if not self._code:
            self.texts.append(data)


def said_by_template(source: str) -> Iterator[str]:
    shown = Shown()
    tokens = list(jinja2.Environment(autoescape=True).lex(source))
    shown.feed("".join(value for _, kind, value in tokens if kind == "data"))
    shown.close()
    for text in shown.texts:
        words = {word.strip(",") for word in text.split()} - NAMES
        if text != EXAMPLE and any(re.search(r"[A-Za-z]{2}", word) for word in words):
            yield text.strip()
    for _, kind, value in tokens:
        if kind == "string" and is_said(value[1:-1]):
            yield value[1:-1]


def said_by_script(source: str) -> Iterator[str]:
    plain = re.sub(r"/\*.*?\*/|(?<![:\"'`])//[^\n]*", "", source, flags=re.DOTALL)
    plain = NOT_SHOWN_BY_SCRIPTS.sub("", plain)
    for text in re.findall(r"""("[^"\n]*"|'[^'\n]*'|`[^`]*`)""", plain):
        if is_said(re.sub(r"\$\{[^}]*\}", "…", text[1:-1])):
            yield text


@pytest.mark.parametrize("file", MODULES, ids=str)
def test_a_module_has_no_words_of_its_own(file: Path) -> None:
    assert list(said_by_module(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("file", TEMPLATES, ids=str)
def test_a_template_has_no_words_of_its_own(file: Path) -> None:
    assert list(said_by_template(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("file", SCRIPTS, ids=str)
def test_a_script_has_no_words_of_its_own(file: Path) -> None:
    assert list(said_by_script(file.read_text(encoding="utf-8"))) == []


def test_words_would_be_found() -> None:
    module = (
        """abort(404, f"no camera {name}"); log.info("a page is shown"); raise ValueError("a b")"""
    )
    assert list(said_by_module(module)) == ["no camera …"]
    template = (
        """<p title="Not now">{{ "in a moment" }} <code>do it</code>{{ t("base.back") }} soon</p>"""
    )
    assert list(said_by_template(template)) == ["Not now", "soon", "in a moment"]
    script = """put(it, "not now"); // not "a word"\nit.className = "button small";"""
    assert list(said_by_script(script)) == ['"not now"']
