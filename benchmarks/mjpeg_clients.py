"""Hundreds of MJPEG clients in one thread, cheap enough to leave the machine to the server.

Every client reads the head of every part, and lets the kernel discard as many bytes as the head
announces (MSG_TRUNC, tcp(7)): parts are counted and their limits checked, but nothing is copied.
A few clients read everything, for the pictures to be looked at.
"""

from __future__ import annotations

import re
import select
import socket
import time
from dataclasses import dataclass, field

_MULTIPART = re.compile(rb"boundary=(\S+)")
_LENGTH = re.compile(rb"Content-Length: (\d+)\r\n")
# Shorter than any part, longer than any part's head.
_PART_HEAD_BYTES = 120
_TURN_BYTES = 1 << 20
_CONNECT_WITHIN_S = 1.0


@dataclass(eq=False)
class Client:
    """One browser.

    Attributes:
        wire: its connection, not blocking.
        keeps: whether it reads the pictures.
        parts: parts that came whole.
        jpegs: the pictures, where it keeps them.
    """

    wire: socket.socket
    keeps: bool
    parts: int = 0
    jpegs: list[bytes] = field(default_factory=list)
    _head: bytes = b""
    _tail: bytes = b""
    _left: int = 0
    _kept: bytearray = field(default_factory=bytearray)

    def read(self, scratch: bytearray) -> None:
        """Take what has come.

        Raises:
            ConnectionError: the server has ended the stream.
            ValueError: what comes is not a multipart stream.
        """
        try:
            while True:
                if self._left:
                    self._take(scratch)
                elif self._tail:
                    self._read_part_head()
                else:
                    self._read_head()
        except BlockingIOError:
            return

    def _read_head(self) -> None:
        """The answer's own head and the first boundary, byte by byte: what follows is a part."""
        while not self._tail:
            self._head += _some(self.wire.recv(1))
            before, blank, rest = self._head.partition(b"\r\n\r\n")
            if not blank:
                continue
            chunked = b"transfer-encoding: chunked" in before.lower()
            if (found := _MULTIPART.search(before)) is None:
                raise ValueError(f"not a multipart stream: {before!r}")
            delimiter = b"--" + found[1] + b"\r\n"
            if rest.endswith(delimiter + (b"\r\n" if chunked else b"")):
                self._tail = b"\r\n" + delimiter + (b"\r\n" if chunked else b"")
                self._head = b""

    def _read_part_head(self) -> None:
        self._head += _some(self.wire.recv(_PART_HEAD_BYTES - len(self._head)))
        if len(self._head) < _PART_HEAD_BYTES:
            return
        head, blank, begun = self._head.partition(b"\r\n\r\n")
        found = _LENGTH.search(head + b"\r\n")
        if not blank or found is None or b"image/jpeg" not in head:
            raise ValueError(f"not the head of a part: {self._head!r}")
        self._left = int(found[1]) + len(self._tail) - len(begun)
        self._head = b""
        if self.keeps:
            self._kept[:] = begun

    def _take(self, scratch: bytearray) -> None:
        at_once = min(self._left, _TURN_BYTES)
        if self.keeps:
            data = _some(self.wire.recv(at_once))
            self._kept += data
            self._left -= len(data)
        else:
            taken = self.wire.recv_into(scratch, at_once, socket.MSG_TRUNC)
            if not taken:
                raise ConnectionError("the server ended the stream")
            self._left -= taken
        if not self._left:
            self.parts += 1
            if self.keeps:
                if not self._kept.endswith(self._tail):
                    raise ValueError("a part does not end with the boundary")
                self.jpegs.append(bytes(self._kept[: -len(self._tail)]))


def _some(data: bytes) -> bytes:
    if not data:
        raise ConnectionError("the server ended the stream")
    return data


class Audience:
    """Many clients of one address, all read in this thread.

    Args:
        port: on this machine.
        path: of the stream.
        clients: how many.
        keepers: how many of them read the pictures.
        stuck: how many more ask for the stream and never read.
    """

    def __init__(self, port: int, path: str, clients: int, keepers: int, stuck: int = 0) -> None:
        self._address = ("127.0.0.1", port)
        self._request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        self._most = clients
        self._keepers = keepers
        self._most_stuck = stuck
        self._stuck: list[socket.socket] = []
        self._scratch = bytearray(_TURN_BYTES)
        self._poll = select.epoll()
        self._by_fd: dict[int, Client] = {}

    @property
    def clients(self) -> list[Client]:
        """Those connected."""
        return list(self._by_fd.values())

    def connect(self) -> None:
        """Let them come one after the other, within a second."""
        for _ in range(self._most_stuck):
            wire = socket.create_connection(self._address)
            wire.sendall(self._request)
            self._stuck.append(wire)
        for number in range(self._most):
            wire = socket.create_connection(self._address)
            wire.sendall(self._request)
            wire.setblocking(False)
            # Keepers are spread over those who came early and those who came late.
            keeps = (
                number + 1
            ) * self._keepers // self._most > number * self._keepers // self._most
            self._by_fd[wire.fileno()] = Client(wire, keeps)
            self._poll.register(wire, select.EPOLLIN)
            self.read_for(_CONNECT_WITHIN_S / self._most)

    def read_for(self, seconds: float) -> float:
        """Read what comes for a while; returns how long it was."""
        began_s = time.monotonic()
        while (left_s := began_s + seconds - time.monotonic()) > 0:
            for fd, _ in self._poll.poll(left_s):
                self._by_fd[fd].read(self._scratch)
        return time.monotonic() - began_s

    def close(self) -> None:
        """All leave."""
        for wire in (*self._stuck, *(client.wire for client in self._by_fd.values())):
            wire.close()
        self._poll.close()
