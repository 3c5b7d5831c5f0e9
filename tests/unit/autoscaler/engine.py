"""As much of Docker's API as the autoscaler uses, over HTTP; containers are only noted."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class FakeEngine:
    """The engine's memory.

    Attributes:
        containers: id to the answer of `GET /containers/{id}/json`.
        tag_means: the id of the image that a name means now.
        asked: method and path of every request, in order.
        refuses: paths that are answered by an error.
    """

    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    tag_means: str = "sha256:old"
    asked: list[str] = field(default_factory=list)
    refuses: str = ""
    host: str = ""

    def add(self, number: int, service: str = "worker", status: str = "running") -> str:
        """A container that compose made."""
        labels = {
            "com.docker.compose.project": "facestream",
            "com.docker.compose.service": service,
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.container-number": str(number),
            "com.docker.compose.config-hash": "abc",
        }
        config = {"Image": "worker:local", "Labels": labels, "StopSignal": "SIGTERM"}
        made = self._create(f"facestream-{service}-{number}", config)
        self.containers[made]["State"]["Status"] = status
        return made

    def end(self, container: str) -> None:
        """It has finished what it held."""
        self.containers[container]["State"]["Status"] = "exited"

    @property
    def names(self) -> list[str]:
        """Of all containers."""
        return sorted(each["Name"].removeprefix("/") for each in self.containers.values())

    def status(self, container: str) -> str:
        """`running`, `exited`, `created`."""
        text: str = self.containers[container]["State"]["Status"]
        return text

    def answer(self, method: str, url: str, body: Any) -> tuple[int, Any]:
        """Status and JSON."""
        parts = urlsplit(url)
        path = re.sub(r"^/v[\d.]+", "", parts.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(f"{method} {path}")
        if self.refuses and re.search(self.refuses, path):
            return 500, {"message": "not today"}
        if path == "/version":
            return 200, {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10"}
        if path == "/containers/json":
            return 200, self._list(json.loads(query["filters"])["label"])
        if path == "/containers/create":
            name = query["name"]
            if name in self.names:
                return 409, {"message": f"{name} is taken"}
            return 201, {"Id": self._create(name, body), "Warnings": []}
        _, _, container, *rest = path.split("/")
        if container not in self.containers:
            return 404, {"message": f"no container {container}"}
        return self._one(method, container, rest, query)

    def _one(
        self, method: str, container: str, rest: list[str], query: dict[str, str]
    ) -> tuple[int, Any]:
        found = self.containers[container]
        match method, rest:
            case "GET", ["json"]:
                return 200, found
            case "POST", ["start"]:
                found["State"]["Status"] = "running"
            case "POST", ["kill"]:
                found["Killed"] = query["signal"]
            case "DELETE", []:
                if found["State"]["Status"] == "running":
                    return 409, {"message": "it runs"}
                del self.containers[container]
            case _:
                return 404, {"message": "page not found"}
        return 204, None

    def _create(self, name: str, config: dict[str, Any]) -> str:
        made = f"{len(self.asked):032x}{len(self.containers):032x}"
        image = config["Image"]
        self.containers[made] = {
            "Id": made,
            "Name": f"/{name}",
            "Image": image if image.startswith("sha256:") else self.tag_means,
            "Config": {"Hostname": made[:12], **config},
            "HostConfig": config.get("HostConfig", {"NetworkMode": "stream"}),
            "NetworkSettings": {"Networks": {"stream": {"Aliases": [name, "worker"]}}},
            "State": {"Status": "created"},
        }
        return made

    def _list(self, wanted: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "Id": each["Id"],
                "Names": [each["Name"]],
                "ImageID": each["Image"],
                "Labels": each["Config"]["Labels"],
                "State": each["State"]["Status"],
                "Status": each["State"].get("Text", "Up 3 minutes (healthy)"),
            }
            for each in self.containers.values()
            if all(
                each["Config"]["Labels"].get(name) == text
                for name, _, text in (label.partition("=") for label in wanted)
            )
        ]


@contextmanager
def fake_engine() -> Iterator[FakeEngine]:
    """One that answers at `host` until the block ends."""
    engine = FakeEngine()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or "null") if length else None
            status, answer = engine.answer(self.command, self.path, body)
            text = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - their names there

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    engine.host = f"tcp://127.0.0.1:{server.server_port}"
    try:
        yield engine
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
