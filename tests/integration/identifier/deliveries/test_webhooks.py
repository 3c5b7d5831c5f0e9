"""Webhooks, delivered to a real HTTP server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import formatdate

import pytest
import structlog
from sqlalchemy.orm import Session

from identifier.deliveries.lease import Lease
from identifier.deliveries.signing import parse_secrets
from identifier.deliveries.values import Event, TryAgain
from identifier.deliveries.webhook import Webhook, parse_endpoints
from identifier.gallery.database import Database
from identifier.gallery.tables import now
from identifier.memory.tables import DeliveryRow
from tests.conftest import ROOT
from tests.integration.identifier.deliveries.conftest import (
    QUICK,
    Kept,
    Memory,
    Receiver,
    Request,
    Start,
)
from tests.waiting import eventually

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
TIMEOUT_S = 0.3


def webhook(
    receiver: Receiver, path: str = "/hook", retry_s: float = 30, timeout_s: float = 5
) -> Webhook:
    (endpoint,) = parse_endpoints(f"http://{receiver.host}{path}")
    return Webhook(endpoint, parse_secrets(SECRET), timeout_s=timeout_s, retry_s=retry_s)


def cursor(memory: Memory, sink: Webhook) -> int:
    with memory.database.reading() as session:
        return session.get_one(DeliveryRow, sink.name).last_event_id


def started(memory: Memory, sink: Webhook) -> Callable[[], bool]:
    def is_there() -> bool:
        with memory.database.reading() as session:
            return session.get(DeliveryRow, sink.name) is not None

    return is_there


def verified(request: Request) -> bool:
    """As a receiver would, by the specification alone."""
    message_id, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    assert abs(int(timestamp) - request.at_s) < 60
    signed = message_id.encode() + b"." + timestamp.encode() + b"." + request.body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in request.headers["webhook-signature"].split(" ")


def test_events_are_posted_in_order_signed_and_the_cursor_follows(
    each_memory: Memory, receiver: Receiver, start: Start
) -> None:
    sink = webhook(receiver)
    start(sink, each_memory)
    eventually(started(each_memory, sink), what="the sink begins")
    ids = [each_memory.happens(sighting=f"s{number}") for number in range(5)]
    eventually(lambda: len(receiver.requests) == 5, what="five events")
    assert receiver.seen == ["s0", "s1", "s2", "s3", "s4"]
    assert all(verified(request) for request in receiver.requests)
    first = receiver.requests[0]
    assert first.path == "/hook"
    assert first.headers["content-type"] == "application/json"
    assert first.headers["idempotency-key"] == first.headers["webhook-id"]
    assert json.loads(first.body)["person"] == {"slug": "alice", "name": "Alice"}
    eventually(lambda: cursor(each_memory, sink) == ids[-1], what="the cursor")


def test_the_check_in_the_docs_takes_genuine_requests_and_no_other(receiver: Receiver) -> None:
    page = (ROOT / "docs" / "events.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    names: dict[str, Callable[[str, dict[str, str], bytes], bool]] = {}
    exec(code, names)  # noqa: S102 - our own page
    genuine = names["genuine"]
    webhook(receiver).deliver(Event(1, '{"sighting": "s1"}'))
    (request,) = receiver.requests
    assert genuine(SECRET, request.headers, request.body)
    assert not genuine(SECRET, request.headers, request.body + b" ")
    assert not genuine(
        f"whsec_{base64.b64encode(bytes(32)).decode()}", request.headers, request.body
    )
    old = request.headers | {"webhook-timestamp": "1614265330"}
    assert not genuine(SECRET, old, request.body)


def test_a_new_sink_is_not_told_of_the_past(
    memory: Memory, receiver: Receiver, start: Start
) -> None:
    memory.happens(sighting="past")
    sink = webhook(receiver)
    start(sink)
    eventually(started(memory, sink), what="the sink begins")
    memory.happens(sighting="new")
    eventually(lambda: bool(receiver.requests), what="an event")
    assert receiver.seen == ["new"]


def test_a_sink_goes_on_where_it_stopped(memory: Memory, receiver: Receiver, start: Start) -> None:
    sink = webhook(receiver)
    first = start(sink)
    eventually(started(memory, sink), what="the sink begins")
    memory.happens(sighting="one")
    eventually(lambda: receiver.seen == ["one"], what="the first event")
    first.ask_to_stop()
    first.join()
    memory.happens(sighting="two")
    start(sink, owner="two")
    eventually(lambda: receiver.seen == ["one", "two"], what="the second event")


@pytest.mark.parametrize("trouble", [500, 503, 408, 429, "close"])
def test_what_may_pass_is_tried_again_with_the_same_id_and_a_signature_of_its_own(
    memory: Memory, receiver: Receiver, start: Start, trouble: int | str
) -> None:
    kept = Kept()
    sink = webhook(receiver)
    start(sink, kept=kept)
    eventually(started(memory, sink), what="the sink begins")
    receiver.answers(trouble, trouble)
    memory.happens(sighting="one")
    memory.happens(sighting="two")
    eventually(lambda: len(receiver.requests) == 4, what="three attempts, and the next event")
    assert receiver.seen == ["one", "one", "one", "two"]
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 2
    assert all(verified(request) for request in receiver.requests)
    assert kept.letters == []


def test_a_receiver_that_does_not_answer_in_time_is_tried_again(
    memory: Memory, receiver: Receiver, start: Start
) -> None:
    sink = webhook(receiver, timeout_s=TIMEOUT_S)
    start(sink)
    eventually(started(memory, sink), what="the sink begins")
    receiver.answers("hang")
    memory.happens(sighting="one")
    eventually(lambda: receiver.seen == ["one", "one"], what="a second attempt")


def test_what_the_receiver_will_never_take_is_given_up_at_once_and_the_next_one_goes(
    memory: Memory, receiver: Receiver, start: Start
) -> None:
    kept = Kept()
    sink = webhook(receiver)
    start(sink, kept=kept)
    eventually(started(memory, sink), what="the sink begins")
    receiver.answers(410, 400, (302, {"Location": f"http://{receiver.host}/elsewhere"}))
    ids = [memory.happens(sighting=f"s{number}") for number in range(4)]
    eventually(lambda: len(receiver.requests) == 4, what="four events")
    assert receiver.seen == ["s0", "s1", "s2", "s3"]
    assert {request.path for request in receiver.requests} == {"/hook"}
    reasons = ["http-410", "http-400", "http-302"]
    assert kept.letters == [
        (ids[number], reason, receiver.host) for number, reason in enumerate(reasons)
    ]


def test_what_fails_for_too_long_is_given_up(
    memory: Memory, receiver: Receiver, start: Start
) -> None:
    kept = Kept()
    sink = webhook(receiver, retry_s=0.2)
    start(sink, kept=kept)
    eventually(started(memory, sink), what="the sink begins")
    receiver.answers(*[500] * 100)
    first = memory.happens(sighting="one")
    eventually(lambda: bool(kept.letters), what="a dead letter")
    assert kept.letters[0] == (first, "http-500", receiver.host)
    assert receiver.seen.count("one") >= 2
    eventually(lambda: cursor(memory, sink) == first, what="the cursor")


def test_a_receiver_says_when_to_come_again(
    receiver: Receiver,
) -> None:
    sink = webhook(receiver)
    receiver.answers(
        (429, {"Retry-After": "120"}),
        (503, {"Retry-After": formatdate(time.time() + 3_600, usegmt=True)}),
        (503, {"Retry-After": "tomorrow"}),
    )
    event = Event(1, '{"sighting": "s1"}')
    first, second, third = (sink.deliver(event) for _ in range(3))
    assert first == TryAgain("http-429", 120)
    assert isinstance(second, TryAgain)
    assert 3_500 < (second.after_s or 0) <= 3_600
    assert third == TryAgain("http-503", None)


def test_nobody_listening_and_a_failed_handshake_are_tried_again(receiver: Receiver) -> None:
    (secure,) = parse_endpoints(f"https://{receiver.host}/")
    event = Event(1, '{"sighting": "s1"}')
    outcome = Webhook(secure, [KEY], timeout_s=5, retry_s=1).deliver(event)
    assert getattr(outcome, "reason", "") == "tls"
    (nobody,) = parse_endpoints("http://127.0.0.1:1/")
    outcome = Webhook(nobody, [KEY], timeout_s=5, retry_s=1).deliver(event)
    assert getattr(outcome, "reason", "") == "unreachable"


def test_credentials_reach_the_receiver_and_no_log(
    memory: Memory, receiver: Receiver, start: Start
) -> None:
    (endpoint,) = parse_endpoints(f"http://me:hidden@{receiver.host}/secret-path?token=hidden")
    sink = Webhook(endpoint, [KEY], timeout_s=5, retry_s=30)
    with structlog.testing.capture_logs() as lines:
        start(sink)
        eventually(started(memory, sink), what="the sink begins")
        receiver.answers(500, 410)
        memory.happens()
        memory.happens()
        eventually(lambda: len(receiver.requests) == 3, what="three attempts")
        eventually(lambda: any(line["event"] == "event given up" for line in lines), what="a log")
    assert receiver.requests[0].headers["authorization"] == "Basic bWU6aGlkZGVu"
    assert receiver.requests[0].path == "/secret-path?token=hidden"
    written = repr(lines)
    assert receiver.host in written
    for hidden in ("hidden", "secret-path", "bWU6", "Alice"):
        assert hidden not in written


def test_an_event_that_is_erased_while_it_waits_is_not_delivered_any_more(
    memory: Memory, receiver: Receiver, start: Start
) -> None:
    kept = Kept()
    sink = webhook(receiver)
    start(sink, kept=kept, pace=replace(QUICK, first_retry_s=0.6, most_retry_s=0.6))
    eventually(started(memory, sink), what="the sink begins")
    receiver.answers(500, 500)
    with memory.database.writing() as session:
        rows = [memory.row("person_enter", "door", f"s{n}", "alice", 0) for n in range(3)]
        session.add_all(rows)
    eventually(lambda: receiver.seen == ["s0"], what="the first attempt")
    memory.erase(rows[0].id)
    memory.erase(rows[1].id)
    eventually(lambda: receiver.seen[1:] == ["s2", "s2"], what="what was not erased")
    assert kept.letters == []


def test_each_webhook_is_served_by_itself(memory: Memory, receiver: Receiver, start: Start) -> None:
    fine = webhook(receiver, "/fine")
    start(fine)
    eventually(started(memory, fine), what="the second webhook begins")
    other = Receiver()
    try:
        stuck = webhook(other, "/stuck", timeout_s=20)
        other.answers("hang")
        waiting = start(stuck)
        eventually(started(memory, stuck), what="the first webhook begins")
        memory.happens(sighting="one")
        memory.happens(sighting="two")
        eventually(lambda: receiver.seen == ["one", "two"], what="the other webhook's events")
        assert other.seen in ([], ["one"])
        waiting.ask_to_stop()
    finally:
        other.close()


def test_of_several_identifiers_one_serves_a_sink_and_another_takes_over(
    each_memory: Memory, receiver: Receiver, start: Start
) -> None:
    sink = webhook(receiver)
    one = start(sink, each_memory, owner="one")
    eventually(started(each_memory, sink), what="the sink begins")
    start(webhook(receiver), each_memory, owner="two", lease_s=0.6)
    for number in range(10):
        each_memory.happens(sighting=f"s{number}")
    eventually(lambda: len(receiver.requests) == 10, what="ten events")
    one.ask_to_stop()
    one.join()
    each_memory.happens(sighting="after")
    eventually(lambda: "after" in receiver.seen, what="the second identifier's event")
    assert receiver.seen == [f"s{number}" for number in range(10)] + ["after"]


def test_a_lease_that_lapses_is_taken_over_and_its_last_owner_is_told(
    each_memory: Memory,
) -> None:
    database = each_memory.database
    gone, next_one = Lease(database, "sink", "gone", 0.2), Lease(database, "sink", "next", 30)
    assert gone.take(each_memory) == 0
    assert next_one.take(each_memory) is None or not gone.move(1)
    eventually(lambda: next_one.take(each_memory) is not None, what="the lease lapses")
    assert not gone.move(5)
    gone.release()
    assert next_one.move(3)
    assert gone.take(each_memory) is None
    next_one.release()
    assert gone.take(each_memory) == 3


def test_who_loses_the_lease_delivers_no_more_until_it_has_it_again(
    each_memory: Memory, receiver: Receiver, start: Start
) -> None:
    sink = webhook(receiver)

    def serve(owner: str, until: datetime) -> None:
        with each_memory.database.writing() as session:
            row = session.get_one(DeliveryRow, sink.name)
            row.owner, row.owned_until = owner, until

    with structlog.testing.capture_logs() as lines:
        start(sink, each_memory, lease_s=0.3)
        eventually(started(each_memory, sink), what="the sink begins")
        serve("thief", now() + timedelta(hours=1))
        eventually(
            lambda: any(line["event"] == "another identifier delivers" for line in lines),
            what="the lease is missed",
        )
    each_memory.happens(sighting="one")
    assert receiver.requests == []
    serve("thief", now() - timedelta(seconds=1))
    eventually(lambda: receiver.seen == ["one"], what="the event")


def test_an_event_whose_transaction_ends_late_is_delivered_too(
    new_postgres_database: str, receiver: Receiver, start: Start
) -> None:
    database = Database(new_postgres_database)
    try:
        memory = Memory(database)
        sink = webhook(receiver)
        runner = start(sink, memory)
        eventually(started(memory, sink), what="the sink begins")
        with Session(database.engine) as slow:
            slow.add(memory.row("person_enter", "door", "late", "alice", 0))
            slow.flush()
            memory.happens(sighting="early")
            eventually(lambda: receiver.seen == ["early"], what="the event that was seen first")
            slow.commit()
        eventually(lambda: receiver.seen == ["early", "late"], what="the other event")
        eventually(lambda: cursor(memory, sink) == memory.newest_id(), what="the cursor")
        runner.ask_to_stop()
        runner.join()
    finally:
        database.close()


def test_while_the_database_is_away_events_wait(
    memory: Memory, receiver: Receiver, start: Start
) -> None:
    sink = webhook(receiver)
    start(sink)
    eventually(started(memory, sink), what="the sink begins")
    with structlog.testing.capture_logs() as lines, memory.database.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO elsewhere")
        connection.commit()
        eventually(lambda: any("away" in line["event"] for line in lines), what="a line in the log")
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO events")
        connection.commit()
    memory.happens(sighting="one")
    eventually(lambda: receiver.seen == ["one"], what="the event")
