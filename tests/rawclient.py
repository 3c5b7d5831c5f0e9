"""A client that sends what confluent-kafka refuses to: header names that are not UTF-8."""

from __future__ import annotations

import ctypes
from pathlib import Path

import confluent_kafka

_PRODUCER, _TOPIC, _VALUE, _HEADERS, _END = 0, 1, 4, 10, 0


def send_with_header(bootstrap: str, topic: str, value: bytes, name: bytes) -> None:
    """Produce one record, with one header of that name, and wait for it to be there."""
    lib = _librdkafka()
    error = ctypes.create_string_buffer(512)
    conf = ctypes.c_void_p(lib.rd_kafka_conf_new())
    lib.rd_kafka_conf_set(conf, b"bootstrap.servers", bootstrap.encode(), error, 512)
    client = ctypes.c_void_p(lib.rd_kafka_new(_PRODUCER, conf, error, 512))
    assert client, error.value
    headers = ctypes.c_void_p(lib.rd_kafka_headers_new(ctypes.c_size_t(1)))
    lib.rd_kafka_header_add(headers, name, ctypes.c_ssize_t(len(name)), b"x", ctypes.c_ssize_t(1))
    refused = lib.rd_kafka_producev(
        client,
        *(ctypes.c_int(_TOPIC), topic.encode()),
        *(ctypes.c_int(_VALUE), value, ctypes.c_size_t(len(value))),
        *(ctypes.c_int(_HEADERS), headers),
        ctypes.c_int(_END),
    )
    assert refused == 0
    assert lib.rd_kafka_flush(client, 20_000) == 0
    lib.rd_kafka_destroy(client)


def _librdkafka() -> ctypes.CDLL:
    """The library that confluent-kafka itself has loaded."""
    bundled = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    lib = ctypes.CDLL(str(next(bundled.glob("librdkafka*"))))
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_headers_new"):
        getattr(lib, function).restype = ctypes.c_void_p
    return lib
