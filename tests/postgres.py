"""A PostgreSQL cluster for tests, from the machine's own binaries, gone when they end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.cli.children import free_port

_DEBIAN = Path("/usr/lib/postgresql")
_START_WITHIN_S = 60


def find_binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest where there are several."""
    folders = sorted(_DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name))
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).resolve().parent)
    return next((f for f in reversed(folders) if (f / "postgres").exists()), None)


@contextmanager
def running_postgres(binaries: Path) -> Iterator[str]:
    """Start a cluster on a free loopback port; yields its address without a database's name.

    It refuses to run as root, so root hands it to the user `postgres`.
    """
    with tempfile.TemporaryDirectory(prefix="facestream-postgres-") as folder:
        data = Path(folder)
        user = "postgres" if os.geteuid() == 0 else None
        if user is not None:
            shutil.chown(data, user)
        with _server(binaries, data, user) as address:
            yield address


@contextmanager
def _server(binaries: Path, data: Path, user: str | None) -> Iterator[str]:
    port = free_port()
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "facestream", "-A", "trust", "-E", "UTF8", "-N"],
        user=user,
        cwd="/",
        check=True,
        capture_output=True,
    )
    options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(data)}
    options |= {"port": str(port), "fsync": "off", "max_connections": "40"}
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, *arguments],
        user=user,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(binaries, port, server)
        yield f"postgresql://facestream@127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(binaries: Path, port: int, server: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _START_WITHIN_S
    ask = [
        str(binaries / "pg_isready"),
        "-q",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-U",
        "facestream",
    ]
    while subprocess.run(ask, check=False).returncode:
        assert server.poll() is None, "PostgreSQL ended while starting"
        assert time.monotonic() < deadline_s, "PostgreSQL did not start"
        time.sleep(0.1)
