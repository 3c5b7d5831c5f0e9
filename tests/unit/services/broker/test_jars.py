"""Kafka's jars: fetched once from a repository, verified, and kept all or none."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from services.broker import jars
from services.broker.jars import (
    KAFKA_VERSION,
    Jar,
    download_size_bytes,
    ensure_jars,
    is_complete,
    locked_jars,
)
from services.errors import BrokerError

CONTENTS = {
    f"org.example.deep:part-{number}:1.{number}": b"%d" % number * 100 for number in (1, 2, 3)
}


class Repository:
    """A Maven repository on this machine.

    Attributes:
        asked: paths of jars that were asked for.
    """

    def __init__(self, root: Path) -> None:
        self.asked: list[str] = []
        for coordinate, content in CONTENTS.items():
            group, artifact, version = coordinate.split(":")
            folder = root / group.replace(".", "/") / artifact / version
            folder.mkdir(parents=True)
            (folder / f"{artifact}-{version}.jar").write_bytes(content)
        asked = self.asked

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith(".jar"):
                    asked.append(self.path)
                super().do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=root))
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """A repository that jgo is configured to use, and nothing else to fall back on."""
    repository = Repository(tmp_path / "repository")
    (tmp_path / "jgo.conf").write_text(f"[repositories]\nours = {repository.url}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
    monkeypatch.setenv("PATH", str(tmp_path))
    locked = tuple(
        Jar(coordinate, hashlib.sha256(content).hexdigest(), len(content))
        for coordinate, content in CONTENTS.items()
    )
    monkeypatch.setattr(jars, "locked_jars", lambda: locked)
    thread = threading.Thread(target=repository.server.serve_forever)
    thread.start()
    yield repository
    repository.server.shutdown()
    repository.server.server_close()
    thread.join()


def test_the_lock_names_kafka_and_its_log_binding_with_a_digest_each() -> None:
    names = {jar.coordinate.rsplit(":", 1)[0] for jar in locked_jars()}
    assert {"org.apache.kafka:kafka_2.13", "org.apache.logging.log4j:log4j-slf4j-impl"} <= names
    assert len(names) == len(locked_jars())
    assert all(len(jar.sha256) == 64 for jar in locked_jars())
    assert 30e6 < download_size_bytes() < 100e6


def test_every_part_of_kafka_is_of_one_version() -> None:
    versions = {
        jar.coordinate.split(":")[2]
        for jar in locked_jars()
        if jar.coordinate.startswith("org.apache.kafka:")
    }
    assert versions == {KAFKA_VERSION}


def test_jars_are_downloaded_once_and_then_taken_from_the_cache(
    repository: Repository, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    assert not is_complete(tmp_path)
    paths = ensure_jars(tmp_path, lambda done, total: seen.append((done, total)))
    assert [path.read_bytes() for path in paths] == list(CONTENTS.values())
    assert seen == [(100, 300), (200, 300), (300, 300)]
    assert is_complete(tmp_path)
    assert ensure_jars(tmp_path) == paths
    assert len(repository.asked) == 3


def test_two_that_start_together_download_once(repository: Repository, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(ensure_jars, [tmp_path, tmp_path])
    assert one == other
    assert len(repository.asked) == 3


def test_a_cache_that_lost_a_jar_is_filled_again(repository: Repository, tmp_path: Path) -> None:
    paths = ensure_jars(tmp_path)
    paths[1].unlink()
    assert all(path.exists() for path in ensure_jars(tmp_path))
    assert len(repository.asked) == 6


def test_a_jar_that_is_not_the_locked_one_is_refused_and_nothing_lands(
    repository: Repository, tmp_path: Path
) -> None:
    wrong = tmp_path / "repository/org/example/deep/part-2/1.2/part-2-1.2.jar"
    wrong.write_bytes(b"something else")
    with pytest.raises(BrokerError, match=r"part-2:1\.2 is not the file it should be: SHA-256 "):
        ensure_jars(tmp_path)
    assert [path.name for path in (tmp_path / "kafka").iterdir()] == [".lock"]


def test_a_repository_that_does_not_answer_is_one_line(
    repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "jgo.conf").write_text("[repositories]\nours = http://127.0.0.1:9\n")
    with pytest.raises(BrokerError, match="could not be downloaded") as failed:
        ensure_jars(tmp_path)
    assert "\n" not in str(failed.value)


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BrokerError, match="jars cannot be kept in"):
        ensure_jars(tmp_path / "file")
