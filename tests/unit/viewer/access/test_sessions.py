from __future__ import annotations

from http.cookies import SimpleCookie

from viewer.access.csrf import CsrfTokens, same_token
from viewer.access.sessions import COOKIE, IDLE_S, LASTS_S, Session, Sessions

KEY = b"k" * 32


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


def header(sessions: Sessions, session: Session) -> str:
    """What the browser sends back."""
    return sessions.set_cookie(session, secure=False).partition(";")[0]


def test_a_browser_that_comes_back_is_known() -> None:
    clock = Clock()
    sessions = Sessions(KEY, clock)
    begun = sessions.begin("Ann", "operator", "stamp", "users")
    read = sessions.read(f"theme=dark; {header(sessions, begun)}; x=1")
    assert read == begun
    assert begun.id not in repr(begun)
    assert sessions.begin().id != sessions.begin().id


def test_the_cookie_is_for_this_site_alone_and_for_no_script() -> None:
    sessions = Sessions(KEY)
    for secure in (False, True):
        made = SimpleCookie(sessions.set_cookie(sessions.begin("Ann"), secure=secure))[COOKIE]
        assert made["httponly"] is True
        assert made["samesite"] == "Lax"
        assert made["path"] == "/"
        assert made["domain"] == ""
        assert bool(made["secure"]) is secure
        assert int(made["max-age"]) == IDLE_S


def test_a_cookie_that_was_tampered_with_or_signed_elsewhere_is_nobodys() -> None:
    sessions = Sessions(KEY)
    cookie = header(sessions, sessions.begin("Ann", "viewer"))
    middle = len(cookie) // 2
    changed = cookie[:middle] + ("A" if cookie[middle] != "A" else "B") + cookie[middle + 1 :]
    assert sessions.read(changed) is None
    assert sessions.read(cookie[:-1]) is None
    assert Sessions(b"o" * 32).read(cookie) is None
    assert sessions.read("") is None
    assert sessions.read(f"{COOKIE}=") is None
    assert sessions.read(f"{COOKIE}={'x' * 100_000}") is None


def test_a_cookie_of_another_path_does_not_hide_ours() -> None:
    sessions = Sessions(KEY)
    cookie = header(sessions, sessions.begin("Ann"))
    assert sessions.read(f"{COOKIE}=planted; {cookie}") is not None


def test_a_session_ends_twelve_hours_after_the_last_visit() -> None:
    clock = Clock()
    sessions = Sessions(KEY, clock)
    session = sessions.begin("Ann")
    assert sessions.renewed(session) is None
    clock.now_s += IDLE_S - 1
    assert sessions.read(header(sessions, session)) is not None
    cookie = header(sessions, session)
    clock.now_s += IDLE_S + 1
    assert sessions.read(cookie) is None


def test_visits_keep_a_session_going_but_no_longer_than_a_week() -> None:
    clock = Clock()
    sessions = Sessions(KEY, clock)
    began_s = clock.now_s
    session: Session | None = sessions.begin("Ann")
    while session is not None:
        clock.now_s += IDLE_S - 60
        renewed = sessions.renewed(session)
        assert renewed is not None
        session = sessions.read(header(sessions, renewed))
    assert LASTS_S - IDLE_S < clock.now_s - began_s <= LASTS_S + IDLE_S


def test_a_session_that_was_logged_out_holds_no_more() -> None:
    clock = Clock()
    sessions = Sessions(KEY, clock)
    session, other = sessions.begin("Ann"), sessions.begin("Ann")
    cookie = header(sessions, session)
    assert "Max-Age=0" in sessions.end(session, secure=False)
    assert sessions.read(cookie) is None
    assert sessions.is_over(session)
    assert sessions.read(header(sessions, other)) is not None


def test_forms_of_two_sessions_carry_different_tokens() -> None:
    csrf = CsrfTokens(KEY)
    assert csrf.of("a") == CsrfTokens(KEY).of("a")
    assert csrf.of("a") != csrf.of("b")
    assert csrf.of("a") != CsrfTokens(b"o" * 32).of("a")
    assert same_token(csrf.of("a"), csrf.of("a"))
    assert not same_token("", "")
    assert not same_token("é", csrf.of("a"))
