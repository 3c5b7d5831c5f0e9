"""Logging in and out, and one's own account."""

from __future__ import annotations

import math

import structlog
from flask import Blueprint, Response, abort, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from services.access import SCOPES, SHORTEST_PASSWORD, check_password
from services.errors import RecordError
from viewer.access.assembly import Access
from viewer.access.flask import origin, session, visitor
from viewer.access.gate import safe_next
from viewer.access.logins import Login
from viewer.identifier import IdentifierProblem
from viewer.pages.parts import Parts

log = structlog.get_logger()


def account_pages(parts: Parts, access: Access) -> Blueprint:
    """`/login`, `/logout` and `/account`."""
    routes = Blueprint("account", __name__)
    _add_login(routes, parts, access)
    _add_account(routes, parts, access)
    return routes


def _add_login(routes: Blueprint, parts: Parts, access: Access) -> None:
    t = parts.texts

    def form(status: int = 200, error: str = "", name: str = "") -> Response:
        page = render_template(
            "login.html", wanted=safe_next(request.values.get("next", "/")), error=error, name=name
        )
        return make_response(page, status)

    @routes.get("/login")
    def login() -> BaseResponse:
        who = visitor()
        if who.scopes:
            return redirect(safe_next(request.args.get("next", "/")), 303)
        return form()

    @routes.post("/login")
    def log_in() -> BaseResponse:
        name, password = request.form.get("name", ""), request.form.get("password", "")
        address = origin().address
        wait_s = access.throttle.begin(address, name)
        if wait_s > 0:
            log.warning("a login has to wait", address=address, wait_s=round(wait_s))
            return _later(form(429, t("account.wait", time=_spoken(parts, wait_s)), name), wait_s)
        found = access.logins.check(name, password)
        if found is None:
            log.warning("a login was refused", address=address)
            return form(401, t("account.wrong"), name)
        access.throttle.succeeded(address, name)
        log.info("logged in", user=found.name, role=found.role, address=address)
        return _begin(access, found, redirect(safe_next(request.form.get("next", "/")), 303))

    @routes.post("/logout")
    def log_out() -> BaseResponse:
        answer = redirect("/login" if access.logins.required else "/", 303)
        if (current := session()) is not None:
            secure = origin().scheme == "https"
            answer.headers.add("Set-Cookie", access.sessions.end(current, secure=secure))
            # What the browser has kept of the pages goes with the session.
            answer.headers["Clear-Site-Data"] = '"cache"'
        return answer


def _add_account(routes: Blueprint, parts: Parts, access: Access) -> None:
    t = parts.texts

    def page(status: int = 200, error: str = "", *, changed: bool = False) -> Response:
        current = session()
        who = visitor()
        return make_response(
            render_template(
                "account.html",
                source="" if current is None else current.source,
                may=[scope for scope in SCOPES if who.may(scope)],
                shortest=SHORTEST_PASSWORD,
                error=error,
                changed=changed,
            ),
            status,
        )

    @routes.get("/account")
    def account() -> Response:
        return page(changed="changed" in request.args)

    @routes.post("/account/password")
    def change_password() -> BaseResponse:
        current = session()
        if current is None or current.source != "users":
            abort(403, t("account.not_yours"))
        old, new = request.form.get("old", ""), request.form.get("new", "")
        if new != request.form.get("again", ""):
            return page(422, t("account.not_the_same"))
        try:
            check_password(new)
        except RecordError:
            return page(422, t("account.too_short", n=SHORTEST_PASSWORD))
        address = origin().address
        wait_s = access.throttle.begin(address, current.name)
        if wait_s > 0:
            return _later(page(429, t("account.wait", time=_spoken(parts, wait_s))), wait_s)
        found = access.logins.check(current.name, old)
        if found is None or found.source != "users":
            return page(422, t("account.wrong_old"))
        access.throttle.succeeded(address, current.name)
        try:
            anew = access.logins.set_password(current.name, new)
        except IdentifierProblem as refused:
            return page(422, refused.detail)
        if anew is None:
            return redirect("/login", 303)
        log.info("password changed", user=anew.name, address=address)
        # Every session of the user is over, with this one: here a new one begins.
        return _begin(access, anew, redirect("/account?changed", 303))


def _begin(access: Access, login: Login, answer: BaseResponse) -> BaseResponse:
    """Begin a session under an id of its own, whatever the browser came with."""
    begun = access.sessions.begin(login.name, login.role, login.stamp, login.source)
    cookie = access.sessions.set_cookie(begun, secure=origin().scheme == "https")
    answer.headers.add("Set-Cookie", cookie)
    return answer


def _later(answer: Response, wait_s: float) -> Response:
    answer.headers["Retry-After"] = str(math.ceil(wait_s))
    return answer


def _spoken(parts: Parts, wait_s: float) -> str:
    if wait_s < 90:
        return parts.texts("account.seconds", n=math.ceil(wait_s))
    return parts.texts("account.minutes", n=math.ceil(wait_s / 60))
