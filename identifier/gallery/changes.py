"""Every change of the gallery is a new version, and the log says whom it was about.

Identifiers that have version 17 loaded ask for what came after it, and load those people anew.
"""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from identifier.gallery.tables import ChangeRow, StateRow

KEPT_VERSIONS = 10_000
"""An identifier that is further behind loads everyone."""

_PRUNE_EVERY = 256


def changed(session: Session, *person_ids: int) -> None:
    """Say, in the transaction that changes them, that people are not what they were.

    Their row, photos, readings or negatives were added, changed or removed. Transactions that
    say so follow one another from here to their commit: say it last.

    Args:
        session: of the transaction; what it holds is flushed.
        person_ids: `people.id`, of people who are gone too; none means everyone.
    """
    session.flush()
    version = session.execute(
        update(StateRow)
        .values(version=StateRow.version + 1)
        .returning(StateRow.version)
        .execution_options(synchronize_session=False)
    ).scalar_one()
    whom: list[int | None] = list(dict.fromkeys(person_ids)) or [None]
    session.execute(insert(ChangeRow), [{"version": version, "person_id": found} for found in whom])
    if version % _PRUNE_EVERY == 0:
        session.execute(delete(ChangeRow).where(ChangeRow.version <= version - KEPT_VERSIONS))


def version_of(session: Session) -> str:
    """Which gallery, and which state of it: `1f0c9a42-17`."""
    state = session.get_one(StateRow, 1, populate_existing=True)
    return f"{state.gallery}-{state.version}"


def changed_since(session: Session, since: str, until: str) -> set[int] | None:
    """Ids of the people who changed after one version and up to another.

    Args:
        session: to look with.
        since: the older version, as `version_of` said it.
        until: the newer one.

    Returns:
        None when the log does not reach back, or everyone changed.
    """
    (gallery, old), (same, new) = _parts(since), _parts(until)
    if gallery != same or not old <= new:
        return None
    rows = session.execute(
        select(ChangeRow.version, ChangeRow.person_id)
        .where(ChangeRow.version > old, ChangeRow.version <= new)
        .order_by(ChangeRow.version)
    ).all()
    people = {row.person_id for row in rows if row.person_id is not None}
    logged = {row.version for row in rows}
    if len(logged) < new - old or any(row.person_id is None for row in rows):
        return None
    return people


def _parts(version: str) -> tuple[str, int]:
    gallery, _, number = version.rpartition("-")
    return gallery, int(number) if number.isdigit() else -1
