"""Users of the page: who may log in, and as what."""

from __future__ import annotations

import functools
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from identifier.access.tables import UserRow
from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from services.access import (
    Role,
    check_password,
    clean_user_name,
    hash_password,
    is_outdated,
    user_key,
    verify_password,
)
from services.errors import RecordError

MOST_USERS = 1_000


@dataclass(frozen=True, slots=True)
class User:
    """Someone who may log in.

    Attributes:
        name: as it was first written.
        role: `viewer`, `operator` or `admin`.
        disabled: may not log in for now.
        stamp: another one whenever password, role or `disabled` change; a session that was begun
            with an older one is over.
        created_at: UTC.
    """

    name: str
    role: Role
    disabled: bool
    stamp: str
    created_at: datetime


class Users:
    """The users in the database; safe for several threads and several identifiers.

    There is always an admin left: the last one who may log in cannot be removed, disabled or
    given another role.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._nobodys = _nobodys_hash()

    def listed(self) -> list[User]:
        """Everyone, by name."""
        with self._database.reading() as session:
            rows = session.scalars(select(UserRow).order_by(UserRow.name_key)).all()
            return [_user(row) for row in rows]

    def get(self, name: str) -> User | None:
        """One user, whatever the case of the name; None when there is none."""
        with self._database.reading() as session:
            row = _find(session, name)
            return None if row is None else _user(row)

    def add(self, name: str, password: str, role: Role) -> User:
        """Let somebody in from now on.

        Raises:
            RecordError: `bad-name`, `bad-password`, `name-taken`, `too-many-users`.
        """
        name = clean_user_name(name)
        check_password(password)
        row = UserRow(
            name=name,
            name_key=user_key(name),
            password=hash_password(password),
            role=role,
            stamp=_new_stamp(),
            disabled=False,
        )
        taken = RecordError("name-taken", f"there is a user {name} already")
        try:
            with self._database.writing() as session:
                if _find(session, name) is not None:
                    raise taken
                if (session.scalar(select(func.count(UserRow.id))) or 0) >= MOST_USERS:
                    raise RecordError("too-many-users", f"there are {MOST_USERS:,} users already")
                session.add(row)
                session.flush()
                return _user(row)
        except IntegrityError:
            raise taken from None

    def change(
        self,
        name: str,
        *,
        password: str | None = None,
        role: Role | None = None,
        disabled: bool | None = None,
    ) -> User | None:
        """Change what is given; what is None stays. Ends the user's sessions when it differs.

        Returns:
            The user as they are then; None when there is none.

        Raises:
            RecordError: `bad-password`, `last-admin`.
        """
        hashed = None
        if password is not None:
            check_password(password)
            hashed = hash_password(password)
        with self._database.writing() as session:
            row = _find(session, name)
            if row is None:
                return None
            demoted = role is not None and role != "admin"
            if demoted or disabled:
                _keep_an_admin(session, row)
            new_role = row.role if role is None else role
            new_disabled = row.disabled if disabled is None else disabled
            if hashed is not None or (new_role, new_disabled) != (row.role, row.disabled):
                row.stamp = _new_stamp()
            row.role, row.disabled = new_role, new_disabled
            if hashed is not None:
                row.password = hashed
            session.flush()
            return _user(row)

    def remove(self, name: str) -> bool:
        """Take a user away, and with them their sessions; False when there is none.

        Raises:
            RecordError: `last-admin`.
        """
        with self._database.writing() as session:
            row = _find(session, name)
            if row is None:
                return False
            _keep_an_admin(session, row)
            session.delete(row)
            return True

    def authenticate(self, name: str, password: str) -> User | None:
        """The user whose name and password these are; None for any others, or one disabled.

        Takes as long for a name that nobody has. A hash with old parameters is made anew.
        """
        with self._database.reading() as session:
            row = _find(session, name)
            kept = self._nobodys if row is None else row.password
        right = verify_password(kept, password)
        if row is None or not right or row.disabled:
            return None
        if is_outdated(kept):
            self._rehash(row.id, kept, hash_password(password))
        return _user(row)

    def _rehash(self, row_id: int, old: str, new: str) -> None:
        with self._database.writing() as session:
            row = session.get(UserRow, row_id)
            if row is not None and row.password == old:
                row.password = new


@functools.cache
def _nobodys_hash() -> str:
    """Checked for names that nobody has, so that they take as long as others."""
    return hash_password(secrets.token_urlsafe())


def _find(session: Session, name: str) -> UserRow | None:
    if "\x00" in name:  # PostgreSQL has no such text
        return None
    return session.scalar(select(UserRow).where(UserRow.name_key == user_key(name)))


def _keep_an_admin(session: Session, leaving: UserRow) -> None:
    """Refuse to lose the last admin; the rows are locked, so two cannot leave at once."""
    admins = session.scalars(
        select(UserRow.id)
        .where(UserRow.role == "admin", UserRow.disabled.is_(False))
        .order_by(UserRow.id)
        .with_for_update()
    ).all()
    if list(admins) == [leaving.id]:
        raise RecordError(
            "last-admin",
            f"{leaving.name} is the last admin who may log in: make somebody else one first",
        )


def _new_stamp() -> str:
    return uuid.uuid4().hex


def _user(row: UserRow) -> User:
    role: Role = "viewer"
    if row.role == "admin":
        role = "admin"
    elif row.role == "operator":
        role = "operator"
    return User(row.name, role, row.disabled, row.stamp, utc(row.created_at))
