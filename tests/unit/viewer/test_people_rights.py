"""Who may do what on the pages about people and strangers."""

from __future__ import annotations

import pytest
from flask import Flask
from jinja2 import DictLoader

from services.lifecycle.health import Health
from viewer.access.visitors import Visitor
from viewer.board import Board
from viewer.identifier import Identifier, IdentifierAway
from viewer.pages.parts import Parts
from viewer.pages.people import people_pages
from viewer.pages.unknown import unknown_pages
from viewer.state import StateReader
from viewer.texts import Texts

FACE = "0" * 32
RULES = [
    ("GET", "/people", "read"),
    ("GET", "/people/names.json", "read"),
    ("POST", "/people", "teach"),
    ("POST", "/people/sam/photos", "teach"),
    ("GET", "/people/sam", "read"),
    ("POST", "/people/sam", "teach"),
    ("GET", "/people/sam/face.jpg", "read"),
    ("GET", f"/people/sam/faces/{FACE}.jpg", "read"),
    ("GET", f"/people/sam/photos/{FACE}.jpg", "read"),
    ("POST", f"/people/sam/photos/{FACE}/remove", "teach"),
    ("POST", "/people/sam/merge", "teach"),
    ("POST", "/people/sam/remove", "erase"),
    ("POST", "/people/sam/search", "teach"),
    ("GET", "/people/sam/searches.json", "read"),
    ("POST", f"/people/sam/search/{FACE}/cancel", "teach"),
    ("GET", "/people/sam/erase", "erase"),
    ("POST", "/people/sam/erase", "erase"),
    ("GET", "/unknown", "read"),
    ("POST", "/unknown", "teach"),
    ("GET", "/unknown/7", "read"),
]
EVERYTHING = frozenset({"read", "streams", "teach", "push", "cameras", "erase", "admin"})
FORM = {"name": "Sam", "into": "Tom", "number": "7", "action": "ignore", "days": "7"}


@pytest.fixture
def app() -> Flask:
    """The pages without their looks, and without an identifier to ask."""
    parts = Parts(StateReader(Board(2), Health()), Identifier(None), Texts())
    app = Flask(__name__)
    app.jinja_loader = DictLoader({"people_added.html": ""})
    app.jinja_env.globals["t"] = parts.texts
    app.register_blueprint(people_pages(parts))
    app.register_blueprint(unknown_pages(parts))
    app.register_error_handler(IdentifierAway, lambda _: ("", 503))
    return app


def ask(app: Flask, method: str, path: str, scopes: frozenset[str], **form: str) -> int:
    """The status; 503 where the identifier would have been asked."""
    who = Visitor("sam", "", scopes)
    body = {**FORM, **form} if method == "POST" else None
    scope = {"asgi.scope": {"visitor": who}}
    with app.test_client() as client:
        return client.open(path, method=method, data=body, environ_overrides=scope).status_code


@pytest.mark.parametrize(("method", "path", "scope"), RULES)
def test_a_page_is_for_those_with_its_right_alone(
    app: Flask, method: str, path: str, scope: str
) -> None:
    assert ask(app, method, path, EVERYTHING - {scope}) == 403
    assert ask(app, method, path, frozenset({scope})) != 403


def test_the_rules_name_every_page(app: Flask) -> None:
    ours = ("people.", "unknown.")
    pages = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(ours)]
    assert len(pages) == len(RULES)


def test_forgetting_a_stranger_needs_the_right_to_erase_as_well(app: Flask) -> None:
    assert ask(app, "POST", "/unknown", frozenset({"teach"}), action="forget") == 403
    assert ask(app, "POST", "/unknown", frozenset({"teach", "erase"}), action="forget") != 403


@pytest.mark.parametrize(
    "form", [{"number": "x"}, {"action": "dance"}, {"action": "merge", "into": "7"}]
)
def test_a_form_that_makes_no_sense_is_refused(app: Flask, form: dict[str, str]) -> None:
    assert ask(app, "POST", "/unknown", EVERYTHING, **form) == 422
