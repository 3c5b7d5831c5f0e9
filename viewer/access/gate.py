"""The gate: finds out who asks, before anything is answered, and sends others to log in."""

from __future__ import annotations

import asyncio
import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, quote

import structlog

from services.access import ROLES, scopes_of
from viewer.access.apitokens import ApiTokens, TooManyStrangers
from viewer.access.csrf import SAFE_METHODS, CsrfTokens, is_foreign
from viewer.access.logins import Logins
from viewer.access.paths import is_asset, is_open, is_page, is_stream, scope_for
from viewer.access.proxies import Origin, Proxies, header, is_forwarded
from viewer.access.remembered import Remembered
from viewer.access.sessions import COOKIE, Session, Sessions
from viewer.access.tokens import StreamTokens, channel_of
from viewer.access.visitors import NOBODY, Visitor
from viewer.asgi import App, Event, Headers, Receive, Scope, Send, answer
from viewer.identifier import IdentifierAway, IdentifierProblem
from viewer.texts import Texts

log = structlog.get_logger()

LOCAL_NAME = "local"
OUT_WITHIN_S = 5.0
_GRACE_S = 300.0
_THREADS = 4
_LONGEST_NEXT = 2_000


class _Refused(Exception):  # noqa: N818 - a state, not a fault
    """The request is answered here."""

    def __init__(self, status: int, reason: str, detail: str, retry_s: int = 0) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.retry_s = retry_s


@dataclass(frozen=True, slots=True)
class Admission:
    """Who asks, and how that was found out.

    Attributes:
        visitor: who.
        session: the browser's; None for a token.
        fresh: whether its cookie is to be sent.
        bearer: the API token that was sent; empty for none.
        until_s: Unix time when a stream token expires; None for anything else.
    """

    visitor: Visitor
    session: Session | None = None
    fresh: bool = False
    bearer: str = field(default="", repr=False)
    until_s: int | None = None


class Gate:
    """Lets requests through to the site, with who asks in `scope["visitor"]`.

    An API token counts first, then a stream token where there may be one, then the session.
    `scope["session"]` is the browser's session, `scope["origin"]` where it comes from. A page that
    is refused has `scope["refusal"]`, status and sentence, for the site to show as a page.

    Streams are watched while they run: one whose visitor has logged out, was removed or given
    another role or password, or whose token expired, ends within `OUT_WITHIN_S`.

    While the identifier is away, sessions and API tokens it has confirmed stay good for five
    minutes; new ones are answered 503.

    Args:
        sessions: reads and makes the cookies.
        csrf: what forms carry.
        logins: who may be here.
        stream_tokens: for streams on other pages.
        proxies: whose forwarded headers are believed.
        texts: every sentence.
        own_hosts: names the site goes by besides what browsers ask for, lower case.
        out_within_s: how long a change of an account or token may go unnoticed.
    """

    def __init__(
        self,
        sessions: Sessions,
        csrf: CsrfTokens,
        logins: Logins,
        stream_tokens: StreamTokens,
        proxies: Proxies,
        texts: Texts,
        own_hosts: frozenset[str] | None = None,
        out_within_s: float = OUT_WITHIN_S,
    ) -> None:
        self._sessions = sessions
        self._csrf = csrf
        self._logins = logins
        self._stream_tokens = stream_tokens
        self._proxies = proxies
        self._t = texts
        self._own_hosts = own_hosts
        self._recheck_s = out_within_s / 2
        self._threads = ThreadPoolExecutor(_THREADS, "gate")
        self._accounts: Remembered[tuple[str, str], bool] = Remembered(
            lambda key: self._holds(*key),
            self._threads,
            keep_s=self._recheck_s,
            grace_s=_GRACE_S,
        )
        # Threads of their own: tokens that nobody knows keep no session from being checked.
        self._token_threads = ThreadPoolExecutor(_THREADS, "tokens")
        self._tokens = ApiTokens(
            logins.token, self._token_threads, keep_s=self._recheck_s, grace_s=_GRACE_S
        )

    def close(self) -> None:
        """End its threads; a question that is on its way is not waited for."""
        for threads in (self._threads, self._token_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    async def serve(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have the site do so."""
        origin = self._proxies.origin(scope)
        scope["origin"] = origin
        if is_asset(scope["path"]):
            scope["visitor"] = NOBODY
            await app(scope, receive, send)
            return
        try:
            admission = await self.admit(scope)
            self._allow(scope, origin, admission)
        except _Refused as refused:
            await _refuse(refused, app, scope, receive, send)
            return
        except (IdentifierAway, IdentifierProblem) as error:
            log.warning("a login cannot be checked", path=scope["path"], why=str(error))
            away = _Refused(503, "identifier-away", self._t("access.away"))
            await _refuse(away, app, scope, receive, send)
            return
        scope["visitor"] = admission.visitor
        scope["session"] = admission.session
        if admission.fresh and admission.session is not None:
            send = self._with_cookie(send, admission.session, origin)
        watched = is_stream(scope["path"]) and scope["method"] in SAFE_METHODS
        if watched and not admission.visitor.local:
            receive = self._watched(receive, admission, scope["path"])
        await app(scope, receive, send)

    async def admit(self, scope: Scope) -> Admission:
        """Who asks.

        Raises:
            _Refused: it is a token that does not hold, or comes round the login.
            IdentifierAway, IdentifierProblem: that cannot be found out now.
        """
        scheme, _, given = header(scope, "authorization").partition(" ")
        if scheme.lower() == "bearer":
            return await self._of_api_token(given.strip(), scope["origin"].address)
        channel = channel_of(scope["path"])
        token = _stream_token(scope) if channel is not None else ""
        if channel is not None and token:
            return self._of_stream_token(token, channel)
        return await self._of_browser(scope)

    async def _of_api_token(self, text: str, address: str) -> Admission:
        try:
            found = await self._tokens.get(text, address)
        except TooManyStrangers as many:
            wait_s = math.ceil(many.wait_s)
            told = self._t("access.many_tokens", seconds=wait_s)
            raise _Refused(429, "too-many-tokens", told, wait_s) from None
        if found is None:
            raise _Refused(401, "no-token", self._t("access.no_api_token"))
        return Admission(Visitor(found.name, "", found.scopes), bearer=text)

    def _of_stream_token(self, token: str, channel: str) -> Admission:
        grant = self._stream_tokens.check(token, channel)
        if grant is None:
            raise _Refused(401, "no-token", self._t("access.no_stream_token"))
        visitor = Visitor("", "", frozenset({"streams"}), blur=grant.blur)
        return Admission(visitor, until_s=grant.expires_s)

    async def _of_browser(self, scope: Scope) -> Admission:
        session = self._sessions.read(header(scope, "cookie"))
        if session is not None and session.name and not await self._still(session):
            session = None
        fresh = False
        # A cookie is for pages; whatever a page loads has it already.
        if session is None:
            session, fresh = self._sessions.begin(), is_page(scope)
        elif not is_stream(scope["path"]):
            renewed = self._sessions.renewed(session)
            session, fresh = renewed or session, renewed is not None
        return Admission(self._visitor(scope, session), session, fresh)

    def _visitor(self, scope: Scope, session: Session) -> Visitor:
        csrf = self._csrf.of(session.id)
        if session.name:
            return Visitor(session.name, session.role, scopes_of(session.role), csrf)
        if self._logins.required:
            return Visitor("", "", frozenset(), csrf)
        if is_forwarded(scope):
            raise _Refused(403, "no-login", self._t("access.proxied"))
        return Visitor(LOCAL_NAME, "admin", ROLES["admin"], csrf, local=True)

    def _allow(self, scope: Scope, origin: Origin, admission: Admission) -> None:
        path, visitor = scope["path"], admission.visitor
        changes = scope["method"] not in SAFE_METHODS
        if changes and not admission.bearer and is_foreign(scope, origin, self._own_hosts):
            raise _Refused(403, "foreign-origin", self._t("access.foreign"))
        if is_open(path):
            return
        if not visitor.name and not visitor.scopes:
            raise _Refused(401, "no-login", self._t("access.log_in"))
        wanted = scope_for(path)
        if wanted is not None and not visitor.may(wanted):
            told = self._t("access.missing_scope", scope=wanted)
            raise _Refused(403, "missing-scope", told)

    async def _still(self, session: Session) -> bool:
        if session.source == "users":
            return await self._accounts.get((session.name, session.stamp))
        return self._logins.holds(session)

    def _holds(self, name: str, stamp: str) -> bool:
        return self._logins.holds(Session("", 0, 0, name=name, stamp=stamp, source="users"))

    def _watched(self, receive: Receive, admission: Admission, path: str) -> Receive:
        """Tells a stream that its browser has gone, once its visitor may not stay."""

        async def receiving() -> Event:
            coming = asyncio.ensure_future(receive())
            try:
                while not (await asyncio.wait({coming}, timeout=self._recheck_s))[0]:
                    if not await self._may_stay(admission):
                        log.info("a stream ends: its visitor may not watch any more", path=path)
                        return {"type": "http.disconnect"}
                return coming.result()
            finally:
                coming.cancel()

        return receiving

    async def _may_stay(self, admission: Admission) -> bool:
        try:
            if admission.bearer:
                found = await self._tokens.still(admission.bearer)
                return found is not None and found.scopes == admission.visitor.scopes
            if admission.until_s is not None:
                return time.time() < admission.until_s
            session = admission.session
            if session is None or not session.name:
                return True
            return not self._sessions.is_over(session) and await self._still(session)
        except (IdentifierAway, IdentifierProblem):
            return False

    def _with_cookie(self, send: Send, session: Session, origin: Origin) -> Send:
        async def sending(event: Event) -> None:
            if event["type"] == "http.response.start":
                headers = list(event["headers"])
                if not any(_sets_session(*pair) for pair in headers):
                    cookie = self._sessions.set_cookie(session, secure=origin.scheme == "https")
                    headers.append((b"set-cookie", cookie.encode()))
                    event = {**event, "headers": headers}
            await send(event)

        return sending


def safe_next(text: str) -> str:
    """Where to go after login: an address of this site, `/` for anything else."""
    odd = any(ord(char) < 33 or ord(char) == 127 or char == "\\" for char in text)
    if odd or not text.startswith("/") or text.startswith("//") or len(text) > _LONGEST_NEXT:
        return "/"
    path = text.partition("?")[0]
    return "/" if path in ("/login", "/logout") else text


def _sets_session(name: bytes, value: bytes) -> bool:
    return name.lower() == b"set-cookie" and value.startswith(COOKIE.encode() + b"=")


def _stream_token(scope: Scope) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    found: str = parse_qs(query[:_LONGEST_NEXT]).get("token", [""])[-1]
    return found


async def _refuse(refused: _Refused, app: App, scope: Scope, receive: Receive, send: Send) -> None:
    if refused.status == 401 and is_page(scope):
        target = "/login"
        if scope["method"] in SAFE_METHODS:
            query = scope.get("query_string", b"").decode("latin-1")
            wanted = safe_next(quote(scope["path"]) + (f"?{query}" if query else ""))
            target += "" if wanted == "/" else f"?next={quote(wanted, safe='/')}"
        await answer(send, 303, headers=[(b"location", target.encode())])
        return
    if is_page(scope):
        scope["visitor"] = NOBODY
        scope["refusal"] = (refused.status, refused.detail)
        await app(scope, receive, send)
        return
    document = {
        "type": "about:blank",
        "title": HTTPStatus(refused.status).phrase,
        "status": refused.status,
        "detail": refused.detail,
        "reason": refused.reason,
    }
    extra: Headers = [(b"www-authenticate", b"Bearer")] if refused.status == 401 else []
    if refused.retry_s:
        extra.append((b"retry-after", b"%d" % refused.retry_s))
    body = json.dumps(document).encode()
    await answer(send, refused.status, body, "application/problem+json", extra)
