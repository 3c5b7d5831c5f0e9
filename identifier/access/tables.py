"""The tables of access: users of the page, and API tokens.

They lie in the gallery's database, so that every identifier and every viewer knows the same ones.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, String
from sqlalchemy.orm import Mapped, mapped_column

from identifier.gallery.tables import Base, now
from services.access import LONGEST_USER_NAME

LONGEST_TOKEN_NAME = 100


class UserRow(Base):
    """Someone who may log in.

    `name_key` is the name without regard to case. `password` is an argon2id hash. `stamp` is
    another number whenever password, role or `disabled` change: a session that knows an older
    one is over.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST_USER_NAME))
    name_key: Mapped[str] = mapped_column(String(4 * LONGEST_USER_NAME), unique=True)
    password: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    stamp: Mapped[str] = mapped_column(String(32))
    disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class TokenRow(Base):
    """An API token: of the token itself only its SHA-256 is kept.

    `scopes` are separated by commas.
    """

    __tablename__ = "api_tokens"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST_TOKEN_NAME), unique=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
