from __future__ import annotations

import logging

from services.lifecycle.logs import Unrepeated


def line(text: str) -> logging.LogRecord:
    return logging.LogRecord("librdkafka", logging.ERROR, __file__, 1, text, None, None)


def test_the_same_line_is_written_once_in_half_a_minute_and_others_as_they_come() -> None:
    now_s = 0.0
    unrepeated = Unrepeated(lambda: now_s)
    assert unrepeated.filter(line("a:9092 is away"))
    assert not unrepeated.filter(line("a:9092 is away"))
    assert unrepeated.filter(line("b:9092 is away"))
    now_s = 29.9
    assert not unrepeated.filter(line("a:9092 is away"))
    now_s = 30.0
    assert unrepeated.filter(line("a:9092 is away"))
