"""What an embedded Kafka keeps in its data directory, and that one broker at a time owns it."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from services.errors import BrokerError

_FORMAT_TIMEOUT_S = 60
_LOCK_TIMEOUT_S = 25
_LONGEST_WORDS = 300


class ClusterStorage:
    """The directory of one cluster: `cluster.json`, `lock`, and `node-N` per node.

    Args:
        root: made when missing; owned until `release`, and until the last process that was
            given `lock_fds` is gone.
        nodes: how many nodes the cluster has.

    Raises:
        BrokerError: another broker owns it, it holds a cluster of another size, or it cannot
            be written.
    """

    def __init__(self, root: Path, nodes: int) -> None:
        self.root = root.absolute()
        self._lock_fd: int | None = None
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock_fd = _own(self.root / "lock")
            self._cluster_id = _cluster_id(self.root / "cluster.json", nodes)
        except OSError as error:
            self.release()
            raise BrokerError(
                f"Kafka cannot keep its log in {self.root}: {error.strerror}"
            ) from None
        except BrokerError:
            self.release()
            raise

    @property
    def lock_fds(self) -> tuple[int, ...]:
        """Descriptors that keep the directory owned while they are open."""
        return () if self._lock_fd is None else (self._lock_fd,)

    def node_dir(self, number: int) -> Path:
        """The directory of one node, made when missing."""
        home = self.root / f"node-{number}"
        home.mkdir(exist_ok=True)
        return home

    def is_formatted(self, number: int) -> bool:
        """Whether Kafka's `StorageTool` has been here."""
        return (self.node_dir(number) / "log" / "meta.properties").exists()

    def format(self, number: int, jvm: Sequence[str | Path], properties: Path) -> None:
        """Let Kafka's `StorageTool` prepare a node's log directory.

        Args:
            number: the node.
            jvm: the `java` command with its class path.
            properties: the node's `server.properties`.

        Raises:
            BrokerError: it did not.
        """
        command = [*jvm, "-Xmx128m", "kafka.tools.StorageTool"]
        # One word: an id that begins with a dash would be taken for a flag.
        command += ["format", f"--cluster-id={self._cluster_id}", "--config", properties]
        console = self.node_dir(number) / "console.log"
        with console.open("ab") as output:
            try:
                result = subprocess.run(  # noqa: S603 - the Java and jars we were given
                    command,
                    stdout=output,
                    stderr=output,
                    timeout=_FORMAT_TIMEOUT_S,
                    check=False,
                    start_new_session=True,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise BrokerError(f"Kafka's storage could not be formatted: {error}") from None
        if result.returncode != 0:
            raise BrokerError(f"Kafka's storage could not be formatted: {last_words(console)}")

    def put_logs_aside(self, number: int) -> None:
        """Begin new logs: an earlier run's last words would be taken for this one's."""
        home = self.node_dir(number)
        (home / "console.log").unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            (home / "kafka.log").replace(home / "kafka.previous.log")

    def release(self) -> None:
        """Give the directory up."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None


def last_words(*logs: Path) -> str:
    """The line of a log that says why, or the last one: one line, bounded, for people.

    Args:
        logs: files to look in, the most telling first.
    """
    fallback = "it said nothing"
    for path in logs:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        lines = [
            line.strip()
            for line in text.splitlines()
            if line.strip() and not line.lstrip().startswith(("at ", "..."))
        ]
        causes = [line for line in lines if "Caused by:" in line]
        errors = [line for line in lines if "Exception" in line or " ERROR " in line]
        if causes or errors:
            return (causes or errors)[-1].removeprefix("Caused by: ")[:_LONGEST_WORDS]
        if lines:
            fallback = lines[-1][:_LONGEST_WORDS]
    return fallback


def _own(lock: Path) -> int:
    """Lock the file; wait only for a broker that is already on its way out."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            if _alive(owner) or time.monotonic() > deadline:
                os.close(descriptor)
                raise BrokerError(
                    f"{lock.parent} is in use by another facestream (process {owner}): "
                    "stop it, or choose another DATA_DIR"
                ) from None
            time.sleep(0.1)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            return descriptor


def _alive(process: str) -> bool:
    with contextlib.suppress(ValueError, ProcessLookupError):
        try:
            os.kill(int(process), 0)
        except PermissionError:
            return True
        return True
    return False


def _cluster_id(path: Path, nodes: int) -> str:
    """The identity of the cluster kept here, made on first use."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        cluster_id, size = str(known["cluster_id"]), int(known["nodes"])
    except FileNotFoundError:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"cluster_id": cluster_id, "nodes": nodes}), encoding="utf-8")
        partial.replace(path)
        return cluster_id
    except (ValueError, KeyError, TypeError):
        raise BrokerError(f"{path} is damaged: remove {path.parent} to start afresh") from None
    if size != nodes:
        raise BrokerError(f"{path.parent} holds a Kafka of {size} nodes, not {nodes}")
    return cluster_id
