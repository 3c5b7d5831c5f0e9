"""The gate's finding, for pages: who asks, and whether they may."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from flask import abort, current_app, request

from viewer.access.csrf import SAFE_METHODS, same_token
from viewer.access.proxies import Origin
from viewer.access.sessions import Session
from viewer.access.visitors import NOBODY, Visitor
from viewer.asgi import Scope
from viewer.texts import Texts

_P = ParamSpec("_P")
_R = TypeVar("_R")


def visitor() -> Visitor:
    """Who sent the request in hand."""
    found = _scope().get("visitor")
    return found if isinstance(found, Visitor) else NOBODY


def session() -> Session | None:
    """The browser's session; None where a token was sent instead."""
    found = _scope().get("session")
    return found if isinstance(found, Session) else None


def origin() -> Origin:
    """Where the request comes from."""
    found = _scope().get("origin")
    if isinstance(found, Origin):
        return found
    return Origin(request.remote_addr or "", request.scheme, request.host)


def needs(scope: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Keep a page for those who may do what a scope stands for; others are answered 403."""

    def wrap(page: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(page)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            if not visitor().may(scope):
                abort(403, _said("access.missing_scope", scope=scope))
            return page(*args, **kwargs)

        return guarded

    return wrap


def check_csrf() -> None:
    """Refuse what the gate did, and a change that a page of another site may have sent.

    For `before_request`.
    """
    refusal = _scope().get("refusal")
    if refusal is not None:
        status, detail = refusal
        abort(status, detail)
    who = visitor()
    if request.method in SAFE_METHODS or not who.csrf:
        return
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
    if not same_token(given, who.csrf):
        abort(403, _said("access.old_form"))


def _said(key: str, **values: object) -> str:
    """A sentence in the language of the pages."""
    texts = cast("Texts", current_app.jinja_env.globals["t"])
    return texts(key, **values)


def _scope() -> Scope:
    found: Scope = request.environ.get("asgi.scope", {})
    return found
