"""Services as child processes: started, watched, restarted, ended in order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.errors import FatalError
from services.lifecycle.backoff import Backoff
from services.lifecycle.orphans import PARENT_VARIABLE

_END_S = 15.0
_TAIL_BYTES = 8192


class ChildFailedError(FatalError):
    """A service ended by itself before it was ready, or cannot be kept running."""


def free_port() -> int:
    """A TCP port nobody listens on now, on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Child:
    """One service as a process of its own.

    Attributes:
        name: what its log and metrics files are called; `worker-0`.
        service: the subcommand it runs.
        env: variables on top of this process's own.
        restart: start it again when it dies.
        folder: where its log and metrics go.
    """

    name: str
    service: str
    env: Mapping[str, str] = field(repr=False)
    restart: bool
    folder: Path
    restarts: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _port: int = 0
    _was_ready: bool = False
    _backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.5, most_s=10.0))
    _again_at_s: float = 0.0

    @property
    def pid(self) -> int | None:
        """Process id, None before the start."""
        return None if self._process is None else self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def log_path(self) -> Path:
        """Where its log goes."""
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Start it, in a session of its own so that Ctrl-C reaches only the parent."""
        self._port = free_port()
        textfile = self.folder / f"{self.name}-{self.restarts}.prom"
        env = {"LOG_FORMAT": "console"} | os.environ | dict(self.env)
        env |= {
            "METRICS_HOST": "127.0.0.1",
            "METRICS_PORT": str(self._port),
            # Asked by `is_ready` alone, on loopback.
            "METRICS_TLS_CERT": "",
            "METRICS_TLS_KEY": "",
            "METRICS_TEXTFILE": str(textfile),
            "PYTHONUNBUFFERED": "1",
            PARENT_VARIABLE: str(os.getpid()),
        }
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "services.cli.main", self.service],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_ready(self) -> bool:
        """Whether `/readyz` says so.

        Raises:
            ChildFailedError: it ended before it ever was.
        """
        if self._was_ready:
            return True
        if self.status is not None:
            raise ChildFailedError(self.last_words())
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=2):
                self._was_ready = True
        except (urllib.error.URLError, OSError):
            return False
        return True

    def keep_running(self) -> bool:
        """Start it again if it died; True when it just did."""
        if self.status is None or not self.restart:
            return False
        if not self._again_at_s:
            self._again_at_s = time.monotonic() + self._backoff.next_s()
        if time.monotonic() < self._again_at_s:
            return False
        self._again_at_s = 0.0
        self.restarts += 1
        self.start()
        return True

    def ask_to_end(self) -> None:
        """Send SIGTERM, once it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float = _END_S) -> None:
        """Wait for its end, and kill it when that takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """The last line of its log: a service that gives up says why there."""
        with self.log_path.open("rb") as log:
            log.seek(max(0, self.log_path.stat().st_size - _TAIL_BYTES))
            lines = [line for line in log.read().decode(errors="replace").splitlines() if line]
        spoken = [line for line in lines if line.startswith("facestream ")]
        last = (spoken or lines or ["no word"])[-1]
        return f"{self.name} ended with status {self.status}: {last} (log: {self.log_path})"


def end_all(children: list[Child]) -> None:
    """End children one kind after the other, in the order given, each kind at once."""
    for service in dict.fromkeys(child.service for child in children):
        kind = [child for child in children if child.service == service]
        for child in kind:
            child.ask_to_end()
        for child in kind:
            child.wait()
