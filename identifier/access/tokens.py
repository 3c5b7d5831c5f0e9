"""API tokens: shown once when they are made, kept as their SHA-256."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from identifier.access.tables import LONGEST_TOKEN_NAME, TokenRow
from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from identifier.gallery.tables import now
from services.access import BEARER_PREFIX, Scope, clean_scopes, is_token
from services.errors import RecordError

MOST_TOKENS = 1_000
_TOKEN_BYTES = 32
_NOTE_USE_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of an API token.

    Attributes:
        id: 32 hexadecimal digits.
        name: what its maker called it.
        scopes: what it is good for.
        created_at: UTC.
        expires_at: UTC; None for never.
        last_used_at: UTC, to the minute; None when it never was.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was made just now: the only time its text is to be had."""

    info: Token
    text: str = field(repr=False)


class Tokens:
    """The API tokens in the database; safe for several threads and several identifiers.

    Args:
        database: where they are kept.
        clock: tells the time, UTC.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._clock = clock

    def listed(self) -> list[Token]:
        """All of them, by name; also those that have expired."""
        with self._database.reading() as session:
            rows = session.scalars(select(TokenRow).order_by(TokenRow.name)).all()
            return [_token(row) for row in rows]

    def create(
        self, name: str, scopes: Iterable[str], expires_at: datetime | None = None
    ) -> NewToken:
        """Make a token.

        Args:
            name: what it is for; no two have the same.
            scopes: what it is good for.
            expires_at: with its zone; None for never.

        Raises:
            RecordError: `bad-name`, `bad-scopes`, `bad-expiry`, `name-taken`, `too-many-tokens`.
        """
        name = _clean_name(name)
        wanted = clean_scopes(scopes)
        if expires_at is not None and utc(expires_at) <= self._clock():
            raise RecordError("bad-expiry", "the token would have expired already")
        text = BEARER_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
        row = TokenRow(
            id=uuid.uuid4().hex,
            name=name,
            sha256=_digest(text),
            scopes=",".join(wanted),
            created_at=self._clock(),
            expires_at=None if expires_at is None else utc(expires_at),
        )
        taken = RecordError("name-taken", f"there is a token {name} already")
        try:
            with self._database.writing() as session:
                if session.scalar(select(TokenRow.id).where(TokenRow.name == name)) is not None:
                    raise taken
                if (session.scalar(select(func.count(TokenRow.id))) or 0) >= MOST_TOKENS:
                    raise RecordError("too-many-tokens", f"there are {MOST_TOKENS:,} tokens")
                session.add(row)
                session.flush()
                return NewToken(_token(row), text)
        except IntegrityError:
            raise taken from None

    def revoke(self, token_id: str) -> bool:
        """Make a token useless, by its id; False when there is none."""
        if "\x00" in token_id:  # PostgreSQL has no such text
            return False
        with self._database.writing() as session:
            gone = session.execute(
                delete(TokenRow).where(TokenRow.id == token_id).returning(TokenRow.id)
            )
            return gone.first() is not None

    def check(self, text: str) -> Token | None:
        """What a token is good for; None for one that is unknown, revoked or expired."""
        if not is_token(text):
            return None
        at = self._clock()
        with self._database.reading() as session:
            row = session.scalar(select(TokenRow).where(TokenRow.sha256 == _digest(text)))
            found = None if row is None else _token(row)
        if found is None or (found.expires_at is not None and found.expires_at <= at):
            return None
        if found.last_used_at is None or at - found.last_used_at >= _NOTE_USE_EVERY:
            self._note_use(found.id, at)
        return found

    def _note_use(self, token_id: str, at: datetime) -> None:
        with self._database.writing() as session:
            row = session.get(TokenRow, token_id)
            if row is not None:
                row.last_used_at = at


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _clean_name(name: str) -> str:
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > LONGEST_TOKEN_NAME or not cleaned.isprintable():
        raise RecordError(
            "bad-name", f"a token's name has 1 to {LONGEST_TOKEN_NAME} printable characters"
        )
    return cleaned


def _token(row: TokenRow) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        scopes=clean_scopes(row.scopes.split(",")),
        created_at=utc(row.created_at),
        expires_at=None if row.expires_at is None else utc(row.expires_at),
        last_used_at=None if row.last_used_at is None else utc(row.last_used_at),
    )
