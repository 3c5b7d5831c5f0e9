from __future__ import annotations

import pytest

from identifier.api.scopes import is_open, needed, rule_for


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "people", "read"),
        ("GET", "people/sam/faces/1/photo", "read"),
        ("GET", "gallery", "read"),
        ("GET", "sightings/1/crop", "read"),
        ("GET", "sightings/1/explanation", "read"),
        ("GET", "sightings/1/frame", "read"),
        ("GET", "unknowns/7", "read"),
        ("GET", "events", "read"),
        ("GET", "events/stream", "read"),
        ("GET", "statistics", "read"),
        ("POST", "identify", "read"),
        ("POST", "people/sam/faces", "teach"),
        ("PATCH", "people/sam", "teach"),
        ("POST", "people/sam/merge", "teach"),
        ("DELETE", "people/sam/faces/1", "teach"),
        ("POST", "unknowns/7/name", "teach"),
        ("POST", "sightings/1/not-this-person", "teach"),
        ("POST", "backfills", "teach"),
        ("POST", "people/sam/erase", "erase"),
        ("DELETE", "people/sam", "erase"),
        ("DELETE", "unknowns/7", "erase"),
        ("GET", "cameras", "cameras"),
        ("POST", "cameras/shots", "cameras"),
        ("PATCH", "cameras/hall", "cameras"),
        ("PUT", "producers/one", "producer"),
        ("PUT", "producers/one/shots/2", "producer"),
        ("GET", "users", "admin"),
        ("POST", "users/authenticate", "admin"),
        ("GET", "users/ann/stamp", "admin"),
        ("DELETE", "tokens/1", "admin"),
        ("POST", "tokens/check", "admin"),
    ],
)
def test_a_call_needs_the_scope_of_what_it_does(method: str, path: str, scope: str) -> None:
    assert rule_for(method, f"/api/v1/{path}") == scope


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/new-thing"),
        ("GET", "/api/v1/peoples"),
        ("GET", "/api/v1/people\n/sam"),
        ("PROPFIND", "/api/v1/people"),
        ("POST", "/api/v1/statistics"),
        ("POST", "/openapi.json"),
    ],
)
def test_what_no_rule_speaks_of_is_for_admins_alone(method: str, path: str) -> None:
    assert rule_for(method, path) is None
    assert needed(method, path) == "admin"


def test_only_health_and_the_page_of_the_docs_are_open() -> None:
    for path in ("/", "/api/v1/health", "/api/v1/docs", "/api/v1/docs/docs.js"):
        assert is_open(path)
    for path in ("/openapi.json", "/api/v1/people", "/api/v1/docs2", "/api/v1/healthy"):
        assert not is_open(path)
