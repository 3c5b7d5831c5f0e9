"""How many streams are open, and whose: nobody takes all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from viewer.access.proxies import Origin, site_of
from viewer.access.sessions import Session
from viewer.access.visitors import Visitor
from viewer.asgi import Scope


class NoSeat(Exception):  # noqa: N818 - a state, not a fault
    """There is none left.

    Attributes:
        status: to answer.
        key: of the text that says why.
        values: for its places.
    """

    def __init__(self, status: int, key: str, **values: object) -> None:
        super().__init__(key)
        self.status = status
        self.key = key
        self.values = values


class Seats:
    """Gives a seat to every stream; belongs to the event loop.

    Args:
        most: at once.
        most_each: of them, for one visitor.
    """

    def __init__(self, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._taken = 0
        self._of_each: Counter[Hashable] = Counter()

    @contextmanager
    def seat(self, whose: Hashable) -> Iterator[None]:
        """Take one for the length of the block.

        Args:
            whose: None for somebody who may have all.

        Raises:
            NoSeat: there is none for them.
        """
        if self._taken >= self._most:
            raise NoSeat(503, "streams.too_many")
        if whose is not None and self._of_each[whose] >= self._most_each:
            raise NoSeat(429, "streams.too_many_yours", n=self._most_each)
        self._taken += 1
        self._of_each[whose] += 1
        try:
            yield
        finally:
            self._taken -= 1
            self._of_each[whose] -= 1
            if not self._of_each[whose]:
                del self._of_each[whose]


def holder_of(scope: Scope) -> Hashable:
    """Whose the seat of a request is; None where there is no login.

    A user, or an API token, is one visitor wherever they are. The password of the settings may be
    that of many: every browser is one. Of a stream token all that is known is the address.
    """
    visitor, session, origin = (scope.get(name) for name in ("visitor", "session", "origin"))
    if not isinstance(visitor, Visitor) or visitor.local:
        return None
    if isinstance(session, Session) and session.source == "password":
        return "session", session.id
    if visitor.name:
        return "user" if visitor.role else "token", visitor.name
    return "address", site_of(origin.address) if isinstance(origin, Origin) else ""
