"""Sessions: who a browser is, in a signed cookie that scripts cannot read."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer

from viewer.access.keys import derive

COOKIE = "facestream_session"
IDLE_S = 12 * 3_600
LASTS_S = 7 * 86_400
_RENEW_AFTER_S = 600
_ID_BYTES = 24
_LONGEST_COOKIE = 4_096
_MOST_COOKIES = 8
_MOST_REVOKED = 100_000

Source = Literal["", "password", "users"]
"""Whose word a login rests on: VIEWER_PASSWORD_HASH, the identifier's users, or nobody's."""


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that comes back.

    Attributes:
        id: not to be guessed.
        began_s: Unix time.
        seen_s: Unix time when its cookie was made or renewed.
        name: of who logged in; empty where nobody did.
        role: theirs.
        stamp: what the account was like then; another one ends the session.
        source: which account it is.
    """

    id: str = field(repr=False)
    began_s: float
    seen_s: float
    name: str = ""
    role: str = ""
    stamp: str = field(default="", repr=False)
    source: Source = ""


class Sessions:
    """Makes and reads the cookies; safe for several threads.

    A session ends when the browser is not heard of for `IDLE_S`, at the latest `LASTS_S` after
    it began, and at logout. Nothing is kept of it here but the ids of those that were logged out.

    Args:
        key: 32 bytes; another one ends every session.
        clock: Unix time.
    """

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._signed = URLSafeTimedSerializer(
            derive(key, "session"),
            salt=COOKIE,
            signer=_Signer,
            signer_kwargs={"digest_method": hashlib.sha256, "clock": clock},
        )
        self._lock = threading.Lock()
        self._revoked: OrderedDict[str, float] = OrderedDict()

    def begin(
        self, name: str = "", role: str = "", stamp: str = "", source: Source = ""
    ) -> Session:
        """A new session; without a name for somebody who has not logged in."""
        now_s = self._clock()
        session_id = secrets.token_urlsafe(_ID_BYTES)
        return Session(session_id, now_s, now_s, name, role, stamp, source)

    def read(self, cookie_header: str) -> Session | None:
        """The session in a request's `Cookie` header; None without one that holds."""
        for value in _values(cookie_header):
            session = self._open(value)
            if session is not None:
                return session
        return None

    def renewed(self, session: Session) -> Session | None:
        """The session as of now, when its cookie is old enough to be sent anew; else None."""
        now_s = self._clock()
        if now_s - session.seen_s < _RENEW_AFTER_S:
            return None
        return replace(session, seen_s=now_s)

    def set_cookie(self, session: Session, *, secure: bool) -> str:
        """The `Set-Cookie` that keeps a session in the browser.

        Args:
            session: begun, renewed or read.
            secure: whether the browser came over https.
        """
        fields = [session.id, int(session.began_s), session.name, session.role]
        value = self._signed.dumps([*fields, session.stamp, session.source])
        text = value if isinstance(value, str) else value.decode()
        left_s = int(session.began_s + LASTS_S - self._clock())
        return _set_cookie(text, max(0, min(IDLE_S, left_s)), secure=secure)

    def end(self, session: Session, *, secure: bool) -> str:
        """Log out: the session holds no more, whoever has its cookie.

        Returns:
            The `Set-Cookie` that takes it from the browser.
        """
        now_s = self._clock()
        with self._lock:
            self._revoked[session.id] = session.began_s + LASTS_S
            for old, until_s in list(self._revoked.items()):
                if until_s >= now_s and len(self._revoked) <= _MOST_REVOKED:
                    break
                del self._revoked[old]
        return _set_cookie("", 0, secure=secure)

    def is_over(self, session: Session) -> bool:
        """Whether a session was logged out, or has lasted as long as it may."""
        if self._clock() - session.began_s > LASTS_S:
            return True
        with self._lock:
            return session.id in self._revoked

    def _open(self, value: str) -> Session | None:
        try:
            found, signed_at = self._signed.loads(value, max_age=IDLE_S, return_timestamp=True)
        except BadSignature:
            return None
        match found:
            case [
                str(id_),
                int(began_s),
                str(name),
                str(role),
                str(stamp),
                ("" | "password" | "users") as source,
            ]:
                pass
            case _:
                return None
        session = Session(id_, began_s, signed_at.timestamp(), name, role, stamp, source)
        return None if self.is_over(session) else session


class _Signer(TimestampSigner):
    """Signs with a clock that is given."""

    def __init__(self, *args: Any, clock: Callable[[], float], **options: Any) -> None:
        super().__init__(*args, **options)
        self._clock = clock

    def get_timestamp(self) -> int:
        """Unix time."""
        return int(self._clock())


def _values(cookie_header: str) -> list[str]:
    """What the cookie is, as often as it is sent: a cookie of another path may shadow ours."""
    found = []
    for pair in cookie_header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE and len(value) <= _LONGEST_COOKIE:
            found.append(value)
    return found[:_MOST_COOKIES]


def _set_cookie(value: str, max_age_s: int, *, secure: bool) -> str:
    return (
        f"{COOKIE}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax"
        f"{'; Secure' if secure else ''}"
    )
