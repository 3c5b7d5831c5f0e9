"""Users and API tokens, for admins: who may log in, and what programs may do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import get_args
from urllib.parse import quote

from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from services.access import SCOPES, SHORTEST_PASSWORD, Role
from viewer.access.assembly import Access
from viewer.access.flask import needs
from viewer.identifier import IdentifierProblem, Json
from viewer.pages.parts import Parts, done

_ROLES: tuple[Role, ...] = get_args(Role)
_DAYS = (30, 90, 365, 0)


def user_pages(parts: Parts, access: Access) -> Blueprint:
    """`/users` and what its forms send."""
    routes = Blueprint("users", __name__)

    def page(status: int = 200, error: str = "", made: Json | None = None) -> Response:
        return make_response(
            render_template(
                "users.html",
                users=parts.identifier.get("/users").get("users", []),
                tokens=parts.identifier.get("/tokens").get("tokens", []),
                users_log_in=access.logins.has_users,
                roles=_ROLES,
                scopes=SCOPES,
                days=_DAYS,
                shortest=SHORTEST_PASSWORD,
                now=datetime.now(UTC).isoformat(),
                error=error,
                made=made,
            ),
            status,
        )

    def change(work: Callable[[], Json]) -> BaseResponse:
        """Do it and show the page again, or say on it why not."""
        try:
            document = work()
        except IdentifierProblem as refused:
            if refused.status not in (404, 409, 422):
                raise
            return page(refused.status, refused.detail)
        return done("/users", document)

    @routes.get("/users")
    @needs("admin")
    def users() -> Response:
        return page()

    _add_users(routes, parts, change)

    @routes.post("/tokens")
    @needs("admin")
    def make_token() -> BaseResponse:
        days = request.form.get("days", "0")
        if days not in map(str, _DAYS):
            return page(422, parts.texts("account.bad_days"))
        expires_at = datetime.now(UTC) + timedelta(days=int(days)) if int(days) else None
        wanted = {
            "name": request.form.get("name", ""),
            "scopes": request.form.getlist("scope"),
            "expires_at": None if expires_at is None else expires_at.isoformat(),
        }
        if not wanted["scopes"]:
            return page(422, parts.texts("account.no_scope"))
        try:
            made = parts.identifier.send("POST", "/tokens", json=wanted)
        except IdentifierProblem as refused:
            if refused.status not in (409, 422):
                raise
            return page(refused.status, refused.detail)
        # Shown here and never again, so there is no page to go on to.
        return page(201, made=made)

    @routes.post("/tokens/<token_id>/revoke")
    @needs("admin")
    def revoke_token(token_id: str) -> BaseResponse:
        return change(lambda: parts.identifier.send("DELETE", f"/tokens/{_part(token_id)}"))

    return routes


def _add_users(
    routes: Blueprint, parts: Parts, change: Callable[[Callable[[], Json]], BaseResponse]
) -> None:
    def patch(name: str, **wanted: object) -> BaseResponse:
        path = f"/users/{_part(name)}"
        return change(lambda: parts.identifier.send("PATCH", path, json=wanted))

    @routes.post("/users")
    @needs("admin")
    def add_user() -> BaseResponse:
        wanted = {key: request.form.get(key, "") for key in ("name", "password", "role")}
        return change(lambda: parts.identifier.send("POST", "/users", json=wanted))

    @routes.post("/users/<name>/role")
    @needs("admin")
    def set_role(name: str) -> BaseResponse:
        return patch(name, role=request.form.get("role", ""))

    @routes.post("/users/<name>/password")
    @needs("admin")
    def set_password(name: str) -> BaseResponse:
        return patch(name, password=request.form.get("password", ""))

    @routes.post("/users/<name>/disabled")
    @needs("admin")
    def set_disabled(name: str) -> BaseResponse:
        return patch(name, disabled=request.form.get("disabled") == "1")

    @routes.post("/users/<name>/remove")
    @needs("admin")
    def remove_user(name: str) -> BaseResponse:
        return change(lambda: parts.identifier.send("DELETE", f"/users/{_part(name)}"))


def _part(text: str) -> str:
    return quote(text, safe="")
