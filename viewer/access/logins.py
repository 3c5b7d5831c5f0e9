"""Accounts: who a name and password are, and whether they still are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import quote

from services.access import user_key, verify_password
from viewer.access.sessions import Session, Source
from viewer.identifier import Identifier, IdentifierProblem, Json

OWNER = "admin"
_NO_MORE = 404
_WRONG = "wrong-password"


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody whose password was right.

    Attributes:
        name: as the account has it.
        role: theirs.
        stamp: what the account is like now.
        source: which account it is.
    """

    name: str
    role: str
    stamp: str
    source: Source


@dataclass(frozen=True, slots=True)
class ApiToken:
    """What an API token is good for."""

    name: str
    scopes: frozenset[str]


class Logins:
    """The accounts that may log in here; every method may block.

    Args:
        identifier: keeps users and API tokens.
        password_hash: argon2 hash of the one user `admin`, None where there is none.
        users: whether the identifier's users may log in.
    """

    def __init__(self, identifier: Identifier, password_hash: str | None, *, users: bool) -> None:
        self._identifier = identifier
        self._hash = password_hash
        self.has_users = users
        digest = hashlib.sha256((password_hash or "").encode()).hexdigest()
        self._owners_stamp = digest[:32]

    @property
    def required(self) -> bool:
        """Whether one has to log in; else everyone who reaches the page is its owner."""
        return self._hash is not None or self.has_users

    def check(self, name: str, password: str) -> Login | None:
        """Who that is; None for a wrong name or password.

        Raises:
            IdentifierAway, IdentifierProblem: users cannot be looked up now.
        """
        if self._hash is not None:
            right = verify_password(self._hash, password)
            if right and user_key(name) == OWNER:
                return Login(OWNER, "admin", self._owners_stamp, "password")
        if not self.has_users:
            return None
        try:
            found = self._identifier.send(
                "POST",
                "/users/authenticate",
                json={"name": name, "password": password},
                soon=True,
            )
        except IdentifierProblem as refused:
            if refused.reason == _WRONG or refused.status == 422:
                return None
            raise
        return self._login(found)

    def now(self, name: str) -> Login | None:
        """A user of the identifier as they are now; None for one who may not log in.

        Raises:
            IdentifierAway, IdentifierProblem: users cannot be looked up now.
        """
        try:
            return self._login(self._identifier.get(f"/users/{_part(name)}/stamp"))
        except IdentifierProblem as refused:
            if refused.status == _NO_MORE:
                return None
            raise

    def holds(self, session: Session) -> bool:
        """Whether the account a session began with is still the same.

        Raises:
            IdentifierAway, IdentifierProblem: users cannot be looked up now.
        """
        if session.source == "password":
            return self._hash is not None and session.stamp == self._owners_stamp
        if session.source == "users" and self.has_users:
            found = self.now(session.name)
            return found is not None and found.stamp == session.stamp
        return False

    def set_password(self, name: str, password: str) -> Login | None:
        """Give a user of the identifier a new password; ends all their sessions.

        Returns:
            The login that holds from now on.

        Raises:
            IdentifierAway, IdentifierProblem: it was refused, or cannot be done now.
        """
        self._identifier.send("PATCH", f"/users/{_part(name)}", json={"password": password})
        return self.now(name)

    def token(self, text: str) -> ApiToken | None:
        """What an API token is good for; None for one that is none.

        Raises:
            IdentifierAway, IdentifierProblem: tokens cannot be looked up now.
        """
        try:
            found = self._identifier.send("POST", "/tokens/check", json={"token": text}, soon=True)
        except IdentifierProblem as refused:
            if refused.status in (_NO_MORE, 422):
                return None
            raise
        return ApiToken(str(found["name"]), frozenset(map(str, found["scopes"])))

    def _login(self, found: Json) -> Login:
        try:
            return Login(str(found["name"]), str(found["role"]), str(found["stamp"]), "users")
        except KeyError:
            raise self._identifier.nonsense() from None


def _part(name: str) -> str:
    return quote(name, safe="")
