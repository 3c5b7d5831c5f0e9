"""What the identifier answers about users and tokens, as far as the command line reads it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel


class User(BaseModel):
    """Someone who may log in."""

    name: str
    role: str
    disabled: bool = False
    created_at: datetime


class Users(BaseModel):
    """Everyone who may."""

    users: list[User]


class Token(BaseModel):
    """An API token, without its text."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class Tokens(BaseModel):
    """Every API token."""

    tokens: list[Token]


class NewToken(Token):
    """One that was made, with its text."""

    token: str
