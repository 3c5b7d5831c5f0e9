"""The REST API's paths for events: a list, and a stream of server-sent events.

Source of the stream's form: HTML Living Standard, 9.2 Server-sent events.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated

import structlog
from fastapi import APIRouter, Header, Query
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from identifier.api.problems import MEDIA_TYPE, Problem, ProblemError
from identifier.api.sightings_shapes import EventsAnswer, EventType
from identifier.memory.events import EventLog, StoredEvent

log = structlog.get_logger()

_LOOK_EVERY_S = 0.25
_HEARTBEAT_S = 15.0
_AT_ONCE = 200
_MOST_CLIENTS = 100

LastId = Annotated[int, Query(ge=0, le=2**63 - 1)]


class EventFeed:
    """Lets many clients follow the log with one look at the database for all of them.

    Args:
        events: the log.
        stopped: whether the server is about to end; streams end with it.
    """

    def __init__(self, events: EventLog, stopped: Callable[[], bool]) -> None:
        self._events = events
        self._stopped = stopped
        self._looking = threading.Lock()
        self._looked_s = 0.0
        self._newest = 0
        self.clients = 0

    async def follow(self, last_id: int) -> AsyncIterator[bytes]:
        """Events behind an id, those to come included, as server-sent events.

        Args:
            last_id: of the last that the client has; `newest` begins with the next that happens.
        """
        self.clients += 1
        try:
            yield b"retry: 2000\n\n"
            at, quiet_s = last_id, 0.0
            while not self._stopped():
                found = await run_in_threadpool(self._behind, at)
                if found:
                    at, quiet_s = found[-1].id, 0.0
                    yield b"".join(_frame(event) for event in found)
                    continue
                await asyncio.sleep(_LOOK_EVERY_S)
                quiet_s += _LOOK_EVERY_S
                if quiet_s >= _HEARTBEAT_S:
                    quiet_s = 0.0
                    yield b": still here\n\n"
        finally:
            self.clients -= 1

    def newest(self) -> int:
        """The highest id there is, as of a moment ago.

        Raises:
            DBAPIError: the database is away.
        """
        with self._looking:
            now_s = time.monotonic()
            if now_s - self._looked_s >= _LOOK_EVERY_S:
                self._newest, self._looked_s = self._events.newest_id(), now_s
            return self._newest

    def _behind(self, at: int) -> Sequence[StoredEvent]:
        try:
            if self.newest() <= at:
                return []
            return self._events.page(at, _AT_ONCE)
        except SQLAlchemyError as error:
            log.warning("events not read", error=type(error).__name__)
            return []


def event_routes(events: EventLog, feed: EventFeed) -> APIRouter:
    """Paths over the events of a database."""
    router = APIRouter(prefix="/api/v1", tags=["events"], responses={422: _problem(422)})

    @router.get("/events")
    def list_events(
        after: LastId = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        type: Annotated[list[EventType], Query(description="Of these types alone.")] = [],  # noqa: A002, B006 - as it is in the address; FastAPI copies it
        camera: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = None,
    ) -> EventsAnswer:
        """List who came and who went, oldest first, behind the event `after`."""
        return EventsAnswer.of(events.page(after, limit, types=type, camera=camera), after)

    @router.get(
        "/events/stream",
        response_class=StreamingResponse,
        responses={
            200: {
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
                "description": "Server-sent events without end: `id`, `event` and `data`, which "
                "is JSON as in the list.",
            },
            503: _problem(503),
        },
    )
    async def stream_events(
        last_event_id: Annotated[
            str | None,
            Header(pattern="^[0-9]{1,18}$", description="Go on behind this event."),
        ] = None,
        after: Annotated[
            int | None,
            Query(ge=0, le=2**63 - 1, description="The same, where no header can be set."),
        ] = None,
    ) -> StreamingResponse:
        """Follow who comes and who goes; begins with the next event unless told otherwise."""
        if feed.clients >= _MOST_CLIENTS:
            raise ProblemError(503, "too-many-streams", f"{_MOST_CLIENTS} streams are open")
        at = after if last_event_id is None else int(last_event_id)
        if at is None:  # before the answer begins: what happens from then on is in the stream
            at = await run_in_threadpool(feed.newest)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(feed.follow(at), media_type="text/event-stream", headers=headers)

    return router


def _frame(event: StoredEvent) -> bytes:
    # JSON has no line breaks of its own.
    return f"id: {event.id}\nevent: {event.type}\ndata: {event.payload}\n\n".encode()


_WORDS = {
    422: "The request cannot be used; `reason` says why.",
    503: "Too many streams are open, or the database is away.",
}


def _problem(status: int) -> dict[str, object]:
    return {
        "description": _WORDS[status],
        "model": Problem,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
