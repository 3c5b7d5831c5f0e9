"""A Docker engine, the images of this working tree, and stacks of containers on them."""

from __future__ import annotations

import itertools
import json
import os
import re
import secrets
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import argon2
import httpx

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
PREFIX = "facestream-test"
TAG = "tested"
SERVICES = ("producer", "worker", "identifier", "viewer")
_PASSWORD = "right horse, right battery"
_numbers = itertools.count(1)
# How Kafka's own tools log in, where compose.tls.yml is.
_TOOL_LOGIN = """\
security.protocol=SASL_SSL
ssl.truststore.type=PEM
ssl.truststore.location=/run/secrets/ca
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\
  username="facestream" password="{password}";
"""


# Prints partition to member, empty for nobody, and records that are left.
_GROUP = """
import json, sys
from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec
from services.kafka.clients import make_admin, make_consumer
from viewer.settings import ViewerSettings

settings = ViewerSettings.load([])
admin, group, topic = make_admin(settings), sys.argv[1], settings.topic_raw
known = admin.list_topics(topic, timeout=20).topics[topic].partitions
parts = [TopicPartition(topic, n) for n in known]
asked = admin.list_offsets({part: OffsetSpec.latest() for part in parts})
ends = {part.partition: future.result(20).offset for part, future in asked.items()}
kept = make_consumer(settings, group).committed(parts, timeout=20)
read = {part.partition: max(part.offset, 0) for part in kept}
members = admin.describe_consumer_groups([group])[group].result(20).members
owners = {p.partition: m.member_id for m in members for p in m.assignment.topic_partitions}
print(json.dumps({n: (owners.get(n, ""), end - read[n]) for n, end in ends.items()}))
"""


class DockerError(AssertionError):
    """A docker command failed; the text is what it printed."""


def docker(*arguments: str, check: bool = True, timeout_s: float = 600, given: str = "") -> str:
    """What a docker command prints on its standard output, stripped."""
    done = subprocess.run(
        ["docker", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        input=given,
    )
    if check and done.returncode != 0:
        raise DockerError(f"docker {' '.join(arguments)[:200]}: {done.stderr.strip()[-3000:]}")
    return done.stdout.strip()


def engine_answers() -> bool:
    """Whether there is an engine, with compose."""
    try:
        docker("info", "--format", "{{.ServerVersion}}", timeout_s=20)
        docker("compose", "version", timeout_s=20)
    except (DockerError, OSError, subprocess.TimeoutExpired):
        return False
    return True


def image(service: str) -> str:
    """The name of an image under test."""
    return f"{PREFIX}/{service}:{TAG}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An environment file for compose, with credentials of its own beside it.

    Attributes:
        folder: where the files are.
        env_file: what `--env-file` is told.
    """

    folder: Path
    env_file: Path

    @classmethod
    def make(cls, folder: Path, **knobs: str) -> Credentials:
        """Write them; `knobs` are variables of .env.example."""
        password = secrets.token_hex(16)
        files = {
            "postgres_password": password,
            "database_url": f"postgresql://facestream:{password}@postgres:5432/facestream",
            "api_token": secrets.token_hex(20),
            "producer_token": secrets.token_hex(20),
            "ingest_token": secrets.token_hex(20),
            "viewer_password_hash": argon2.PasswordHasher().hash(_PASSWORD),
            "grafana_password": secrets.token_hex(12),
            "cameras": "",
        }
        lines = {"IMAGE_PREFIX": PREFIX, "IMAGE_TAG": TAG, "VIEWER_PUBLISH": "127.0.0.1:"}
        for name, text in files.items():
            path = folder / f"{name}.txt"
            path.write_text(text)
            path.chmod(0o644)  # read by the container's user
            lines[f"{name.upper()}_FILE"] = str(path)
        lines["TLS_DIR"] = str(folder / "tls")
        lines["KAFKA_PASSWORD_FILE"] = str(folder / "kafka_password.txt")
        lines["DATABASE_URL_TLS_FILE"] = str(folder / "database_url_tls.txt")
        lines["KAFKA_EXPORTER_FLAGS_FILE"] = str(folder / "kafka_exporter_flags.txt")
        env_file = folder / "env"
        env_file.write_text("".join(f"{k}={v}\n" for k, v in (lines | knobs).items()))
        return cls(folder, env_file)


@dataclass(frozen=True, slots=True)
class Stack:
    """One compose project.

    Attributes:
        project: its name.
        files: compose files, below deploy/.
        credentials: what it is given.
        clients: the one that talks to the page, once it has.
    """

    project: str
    files: tuple[str, ...]
    credentials: Credentials
    clients: list[httpx.Client] = field(default_factory=list, repr=False)

    @property
    def _client(self) -> httpx.Client:
        if not self.clients:
            authority = self.credentials.folder / "tls" / "ca.pem"
            trust = ssl.create_default_context(cafile=authority if authority.exists() else None)
            self.clients.append(httpx.Client(base_url=self.page, timeout=20, verify=trust))
        return self.clients[0]

    def compose(self, *arguments: str, check: bool = True, given: str = "") -> str:
        """What `docker compose` prints."""
        files = [part for name in self.files for part in ("--file", str(DEPLOY / name))]
        return docker(
            *("compose", "--project-name", self.project, *files),
            *("--env-file", str(self.credentials.env_file), *arguments),
            check=check,
            given=given,
        )

    def script(self, name: str, *arguments: str) -> str:
        """What a script of deploy/ prints that is meant for this stack."""
        done = subprocess.run(
            [str(DEPLOY / name), *arguments],
            env=os.environ
            | {
                "COMPOSE_PROJECT_NAME": self.project,
                "COMPOSE_FILE": os.pathsep.join(str(DEPLOY / file) for file in self.files),
                "COMPOSE_ENV_FILES": str(self.credentials.env_file),
                "SECRETS_DIR": str(self.credentials.folder),
            },
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode != 0:
            raise DockerError(f"deploy/{name}: {done.stderr.strip()[-3000:]}")
        return done.stdout

    def up(self, *arguments: str) -> None:
        """Start everything, and wait until it says that it is ready."""
        self.compose("up", "--detach", "--wait", "--wait-timeout", "240", *arguments)

    def scale(self, workers: int) -> None:
        """As a user would: nothing else changes."""
        self.up("--no-recreate", "--scale", f"worker={workers}", "worker")

    def containers(self, service: str) -> list[str]:
        """Ids of the containers of a service that run."""
        return self.compose("ps", "--quiet", "--status", "running", service).split()

    def inspect(self, service: str) -> dict[str, object]:
        """What the engine knows of the first container of a service, whether it runs or not."""
        first = self.compose("ps", "--all", "--quiet", service).split()[0]
        found: dict[str, object] = json.loads(docker("inspect", first))[0]
        return found

    def crash(self, service: str) -> None:
        """Kill the main process as the kernel would when memory is short.

        `docker kill` counts as the user's own wish to stop: no restart policy answers to it.
        """
        pid = docker("inspect", "--format", "{{.State.Pid}}", self.containers(service)[0])
        docker(
            *("run", "--rm", "--pid=host", "--user=0", "--cap-add=KILL", "--entrypoint=python"),
            *(image("viewer"), "-c", f"import os; os.kill({pid}, 9)"),
        )

    def restarts(self, service: str) -> tuple[int, str]:
        """How often it was started again, and what its health check says."""
        found = self.compose("ps", "--all", "--quiet", service).split()[0]
        count, health = docker(
            "inspect", "--format", "{{.RestartCount}} {{.State.Health.Status}}", found
        ).split()
        return int(count), health

    @property
    def tls(self) -> bool:
        """Whether everything that listens does so with TLS."""
        return "compose.tls.yml" in self.files

    @property
    def page(self) -> str:
        """The page's address on this machine."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{self.compose('port', 'viewer', '5010')}"

    def get(self, path: str) -> httpx.Response:
        """A page or answer of the viewer through its published port, logged in where it asks."""
        try:
            answer = self._client.get(path)
        except httpx.ConnectError:
            self._client.base_url = self.page  # another one since its container was started anew
            answer = self._client.get(path)
        if answer.status_code in (401, 303, 302) or "/login" in str(answer.url):
            self._log_in()
            answer = self._client.get(path)
        return answer.raise_for_status()

    def _log_in(self) -> None:
        form = self._client.get("/login", headers={"Accept": "text/html"}).text
        token = re.search(r'name="csrf_token" value="([^"]*)"', form)
        self._client.post(
            "/login",
            data={
                "name": "admin",
                "password": _PASSWORD,
                "next": "/",
                "csrf_token": token[1] if token else "",
            },
        )

    def seen(self) -> dict[str, set[str]]:
        """Camera to the people that its newest frame shows."""
        cameras = self.get("/api/state.json").json()["cameras"]
        return {camera["name"]: set(camera["people"]) for camera in cameras}

    def python(self, script: str, *arguments: str) -> str:
        """What a script prints that runs in the viewer's container, where Kafka is in reach."""
        return self.compose("exec", "-T", "viewer", "python", "-", *arguments, given=script)

    def kafka_tool(self, name: str, *arguments: str) -> str:
        """What one of Kafka's own tools prints, run in the first broker's container."""
        tool = (f"/opt/kafka/bin/{name}.sh", "--bootstrap-server", "kafka:9092", *arguments)
        if not self.tls:
            return self.compose("exec", "-T", "kafka", *tool)
        password = (self.credentials.folder / "kafka_password.txt").read_text().strip()
        return self.compose(
            *("exec", "-T", "kafka", "bash", "-c"),
            'cat >/tmp/login && exec "$@" --command-config /tmp/login',
            *("bash", *tool),
            given=_TOOL_LOGIN.format(password=password),
        )

    def group(self, group: str) -> dict[int, tuple[str, int]]:
        """Partition of frames.raw to who has it, and how many records are left to read.

        Asked in the viewer's container: a JVM for every look takes the time of those looked at.
        """
        told: dict[str, tuple[str, int]] = json.loads(self.python(_GROUP, group))
        return {int(partition): (who, left) for partition, (who, left) in told.items()}


@contextmanager
def stack(
    folder: Path, files: Sequence[str], base: str = "docker-compose.yml", **knobs: str
) -> Iterator[Stack]:
    """A project of its own, gone at the end with everything it kept."""
    project = f"{PREFIX}-{os.getpid()}-{next(_numbers)}"
    made = Stack(project, (base, *files), Credentials.make(folder, **knobs))
    try:
        yield made
    finally:
        for client in made.clients:
            client.close()
        made.compose("down", "--volumes", "--remove-orphans", "--timeout", "10", check=False)
