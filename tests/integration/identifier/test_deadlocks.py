"""Two transactions that wait for each other: PostgreSQL ends one, and it is done again."""

from __future__ import annotations

import threading

from sqlalchemy import text

from identifier.gallery.database import Database, retried


def test_who_loses_against_another_transaction_tries_again(new_postgres_database: str) -> None:
    database = Database(new_postgres_database)
    both_hold = threading.Barrier(2)
    tries: dict[str, int] = {"ab": 0, "ba": 0}
    with database.writing() as session:
        session.execute(text("create table rooms (name text primary key, visits int)"))
        session.execute(text("insert into rooms values ('a', 0), ('b', 0)"))

    def visit(order: str) -> None:
        tries[order] += 1
        with database.writing() as session:
            for at, room in enumerate(order):
                session.execute(
                    text("update rooms set visits = visits + 1 where name = :room"), {"room": room}
                )
                if at == 0 and tries[order] == 1:
                    both_hold.wait(30)

    threads = [
        threading.Thread(target=retried, args=(lambda order=order: visit(order),))
        for order in tries
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    with database.reading() as session:
        seen = session.scalars(text("select visits from rooms")).all()
    database.close()
    assert seen == [2, 2]
    assert sorted(tries.values()) == [1, 2]
