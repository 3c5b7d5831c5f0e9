"""Finishing touches to the OpenAPI document: what is true of every path is said in one place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from identifier.api.problems import MEDIA_TYPE, Problem
from identifier.api.scopes import is_open, needed

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_EVERYWHERE = {
    "400": "The request is not sound HTTP.",
    "422": "The request cannot be used; `reason` says why.",
}
_WITH_BODY = {"413": "The request has too many bytes."}
_FASTAPIS = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI, *, wants_token: bool) -> None:
    """Make the app's description say how errors look, and whether calls want a token.

    Every error is a problem (RFC 9457), whoever raised it: FastAPI would describe some of them
    otherwise. The token becomes the Authorize button of the page.

    Call it when every route is in place.

    Args:
        app: the API.
        wants_token: whether `API_TOKEN` is set.
    """
    document = app.openapi()
    components: dict[str, Any] = document.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    for name in _FASTAPIS:
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    for method, path, operation in _operations(document):
        _describe_errors(operation)
        _describe_scope(method, path, operation)
    if wants_token:
        _describe_token(document)


def _describe_errors(operation: dict[str, Any]) -> None:
    words = _EVERYWHERE | (_WITH_BODY if "requestBody" in operation else {})
    responses: dict[str, Any] = operation["responses"]
    for status, description in words.items():
        known = responses.setdefault(status, {"description": description})
        if known["description"] == "Validation Error":
            known["description"] = description
    for status, response in responses.items():
        if status.startswith(("4", "5")):
            response["content"] = _PROBLEM
    operation["responses"] = dict(sorted(responses.items()))


def _describe_scope(method: str, path: str, operation: dict[str, Any]) -> None:
    """Say what an API token must be good for; what is open to all is never refused for it."""
    if is_open(path):
        for status in ("401", "403"):
            operation["responses"].pop(status, None)
        return
    scope = needed(method.upper(), path)
    told = operation.get("description", "")
    operation["description"] = f"{told}\n\nScope: `{scope}`.".lstrip()
    operation["x-scope"] = scope


def _describe_token(document: dict[str, Any]) -> None:
    schemes = document["components"].setdefault("securitySchemes", {})
    schemes["token"] = {
        "type": "http",
        "scheme": "bearer",
        "description": "What API_TOKEN says, or an API token, without the word Bearer.",
    }
    document["security"] = [{"token": []}]
    for _, path, operation in _operations(document):
        if is_open(path):
            operation["security"] = []


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method, path, item[method]
