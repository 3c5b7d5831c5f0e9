"""A child process that ends when we do, and the free ports it listens on."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from services.broker import keeper
from services.errors import BrokerError

_KEEPER_GRACE_S = 10


class ChildProcess:
    """A program kept by `services.broker.keeper`: it dies with this process, however that dies.

    It has a session of its own, so Ctrl-C on the terminal reaches the services, which still
    need it to drain, and not the program.

    Args:
        command: the program and its arguments.
        log: file that its output is appended to.
        stop_timeout_s: how long after SIGTERM it is killed.
        inherit_fds: descriptors that stay open as long as the keeper lives (a lock).
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        stop_timeout_s: float,
        inherit_fds: Sequence[int] = (),
    ) -> None:
        self._stop_timeout_s = stop_timeout_s
        with log.open("ab") as output:
            self._keeper = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-I", "-S", keeper.__file__, str(stop_timeout_s), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
                pass_fds=tuple(inherit_fds),
            )
        self.pid = self._read_pid()

    def _read_pid(self) -> int:
        line = b""
        if self._keeper.stdout is not None:
            with self._keeper.stdout as said:
                line = said.readline()
        if not line:
            self.stop()
            raise BrokerError("the broker's process could not be started")
        return int(line)

    @property
    def running(self) -> bool:
        """Whether the program has not ended yet."""
        return self._keeper.poll() is None

    def stop(self) -> None:
        """SIGTERM, then SIGKILL when it takes too long; returns when it is gone."""
        self.ask_to_stop()
        self._keeper.wait(self._stop_timeout_s + _KEEPER_GRACE_S)

    def ask_to_stop(self) -> None:
        """SIGTERM without waiting, so that several can stop together; `stop` waits."""
        if self._keeper.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._keeper.stdin.close()

    def kill(self) -> None:
        """SIGKILL the program, as a crash would; returns when it is gone."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.stop()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing listens on right now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
