"""`/api/v1/users` and `/api/v1/tokens`: who may use the system, and as what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from identifier.access.tokens import Tokens
from identifier.access.users import User, Users
from identifier.api.access_shapes import (
    CheckAnswer,
    CheckRequest,
    LoginRequest,
    NewTokenAnswer,
    NewTokenRequest,
    NewUserRequest,
    StampAnswer,
    TokenAnswer,
    TokensAnswer,
    UserAnswer,
    UserChangeRequest,
    UsersAnswer,
)
from identifier.api.problems import MEDIA_TYPE, Problem, ProblemError
from services.access import LONGEST_USER_NAME
from services.errors import RecordError

UserName = Annotated[str, Path(min_length=1, max_length=2 * LONGEST_USER_NAME)]
TokenId = Annotated[str, Path(max_length=64)]  # `check` is one that nobody has, not a wrong one

_CONFLICTS = ("name-taken", "last-admin", "too-many-users", "too-many-tokens")
_WORDS = {
    403: "Not this name and password, or a page of another site, or a token without the scope.",
    404: "There is none.",
    409: "Another one has that name, or nobody would be left to look after users.",
    422: "The request cannot be used; `reason` says why.",
}


def access_routes(users: Users, tokens: Tokens) -> APIRouter:
    """The paths of users and API tokens; all of them need the scope `admin`.

    Args:
        users: who may log in.
        tokens: what programs use instead.
    """
    router = APIRouter(prefix="/api/v1")
    _add_users(router, users)
    _add_logins(router, users)
    _add_tokens(router, tokens)
    return router


def _add_users(router: APIRouter, users: Users) -> None:
    @router.get("/users", tags=["users"])
    def list_users() -> UsersAnswer:
        """List everyone who may log in."""
        return UsersAnswer(users=[UserAnswer.of(user) for user in users.listed()])

    @router.post("/users", status_code=201, tags=["users"], responses=_problems(409, 422))
    def add_user(new: NewUserRequest) -> UserAnswer:
        """Let somebody log in from now on."""
        try:
            user = users.add(new.name, new.password.get_secret_value(), new.role)
        except RecordError as error:
            raise _conflict(error) from None
        return UserAnswer.of(user)

    @router.patch("/users/{name}", tags=["users"], responses=_problems(404, 409, 422))
    def change_user(name: UserName, change: UserChangeRequest) -> UserAnswer:
        """Give a user another role or password, or keep them out; ends their sessions."""
        password = None if change.password is None else change.password.get_secret_value()
        try:
            user = users.change(name, password=password, role=change.role, disabled=change.disabled)
        except RecordError as error:
            raise _conflict(error) from None
        return UserAnswer.of(_found(user, name))

    @router.delete("/users/{name}", status_code=204, tags=["users"], responses=_problems(404, 409))
    def remove_user(name: UserName) -> None:
        """Take a user away; ends their sessions."""
        try:
            removed = users.remove(name)
        except RecordError as error:
            raise _conflict(error) from None
        if not removed:
            raise _no_user(name)


def _add_logins(router: APIRouter, users: Users) -> None:
    @router.post("/users/authenticate", tags=["users"], responses=_problems(403))
    def authenticate(given: LoginRequest) -> StampAnswer:
        """Check a name and password; the viewer does, when somebody logs in."""
        user = users.authenticate(given.name, given.password.get_secret_value())
        if user is None:
            raise ProblemError(403, "wrong-password", "nobody has that name and password")
        return StampAnswer.of(user)

    @router.get("/users/{name}/stamp", tags=["users"], responses=_problems(404))
    def get_stamp(name: UserName) -> StampAnswer:
        """Say what a session of a user must know; there is none for one who is kept out."""
        user = users.get(name)
        return StampAnswer.of(_found(None if user is None or user.disabled else user, name))


def _add_tokens(router: APIRouter, tokens: Tokens) -> None:
    @router.get("/tokens", tags=["tokens"])
    def list_tokens() -> TokensAnswer:
        """List every API token; also those that have expired."""
        return TokensAnswer(tokens=[TokenAnswer.of(token) for token in tokens.listed()])

    @router.post("/tokens", status_code=201, tags=["tokens"], responses=_problems(409, 422))
    def create_token(new: NewTokenRequest) -> NewTokenAnswer:
        """Make an API token; its text is in this answer and nowhere else."""
        try:
            made = tokens.create(new.name, new.scopes, new.expires_at)
        except RecordError as error:
            raise _conflict(error) from None
        return NewTokenAnswer.made(made)

    @router.post("/tokens/check", tags=["tokens"], responses=_problems(404))
    def check_token(given: CheckRequest) -> CheckAnswer:
        """Say what a token is good for; the viewer asks, when it is sent one."""
        found = tokens.check(given.token.get_secret_value())
        if found is None:
            raise ProblemError(404, "no-such-token", "that is no token, or one that has expired")
        return CheckAnswer(name=found.name, scopes=list(found.scopes))

    @router.delete("/tokens/{token_id}", status_code=204, tags=["tokens"], responses=_problems(404))
    def revoke_token(token_id: TokenId) -> None:
        """Make a token useless."""
        if not tokens.revoke(token_id):
            raise ProblemError(404, "no-such-token", f"there is no token {token_id}")


def _found(user: User | None, name: str) -> User:
    if user is None:
        raise _no_user(name)
    return user


def _no_user(name: str) -> ProblemError:
    return ProblemError(404, "no-such-user", f"there is no user {name}")


def _conflict(error: RecordError) -> RecordError | ProblemError:
    if error.reason in _CONFLICTS:
        return ProblemError(409, error.reason, str(error))
    return error


def _problems(*statuses: int) -> dict[int | str, dict[str, object]]:
    return {
        status: {
            "description": _WORDS[status],
            "model": Problem,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }
