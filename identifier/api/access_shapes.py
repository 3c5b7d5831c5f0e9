"""What the paths of users and tokens take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from identifier.access.tables import LONGEST_TOKEN_NAME
from identifier.access.tokens import NewToken, Token
from identifier.access.users import User
from identifier.api.moments import Moment
from services.access import LONGEST_PASSWORD, LONGEST_USER_NAME, SCOPES, Role, Scope

_LONGEST_TOKEN = 1_000

UserName = Annotated[str, StringConstraints(min_length=1, max_length=2 * LONGEST_USER_NAME)]
Password = Annotated[
    SecretStr,
    Field(max_length=LONGEST_PASSWORD, description="Ten characters or more."),
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewUserRequest(_Request):
    """Who is to be let in."""

    name: UserName
    password: Password
    role: Role = "viewer"


class UserChangeRequest(_Request):
    """What of a user is to be another; what is left out stays."""

    password: Password | None = None
    role: Role | None = None
    disabled: bool | None = None


class LoginRequest(_Request):
    """A name and password that somebody gave."""

    name: Annotated[str, StringConstraints(max_length=1_000)]
    password: Annotated[SecretStr, Field(max_length=10_000)]


class UserAnswer(BaseModel):
    """A user."""

    name: str
    role: Role
    disabled: bool = Field(description="Whether they may not log in for now.")
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> Self:
        """From the value."""
        return cls(
            name=user.name, role=user.role, disabled=user.disabled, created_at=user.created_at
        )


class UsersAnswer(BaseModel):
    """Everyone who may log in."""

    users: list[UserAnswer]


class StampAnswer(BaseModel):
    """A user as a session has to know them."""

    name: str
    role: Role
    stamp: str = Field(
        description="Another one whenever password, role or `disabled` change: a session that "
        "was begun with an older one is over."
    )

    @classmethod
    def of(cls, user: User) -> Self:
        """From the value."""
        return cls(name=user.name, role=user.role, stamp=user.stamp)


class NewTokenRequest(_Request):
    """A token that is to be made."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=2 * LONGEST_TOKEN_NAME)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=2 * len(SCOPES))]
    expires_at: Moment | None = Field(None, description="Null for never.")


class TokenAnswer(BaseModel):
    """An API token; not its text, which nobody knows any more."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")

    @classmethod
    def of(cls, token: Token) -> Self:
        """From the value."""
        return cls(
            id=token.id,
            name=token.name,
            scopes=list(token.scopes),
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
        )


class TokensAnswer(BaseModel):
    """Every API token."""

    tokens: list[TokenAnswer]


class NewTokenAnswer(TokenAnswer):
    """A token that was made: keep its text, it is not shown again."""

    token: str

    @classmethod
    def made(cls, new: NewToken) -> Self:
        """From the value."""
        return cls(**TokenAnswer.of(new.info).model_dump(), token=new.text)


class CheckRequest(_Request):
    """A token that somebody sent."""

    token: Annotated[SecretStr, Field(max_length=_LONGEST_TOKEN)]


class CheckAnswer(BaseModel):
    """What a token is good for."""

    name: str
    scopes: list[Scope]
