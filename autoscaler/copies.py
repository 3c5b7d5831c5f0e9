"""What to create for one more container of a compose service: a copy of one that is there.

As `docker compose up --scale` makes them: image, environment, mounts, limits and labels are the
same; number, name, host name and addresses are its own. So compose counts it among its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NUMBER = "com.docker.compose.container-number"
_REPLACED = "com.docker.compose.replace"
_SHORT_ID = 12


@dataclass(frozen=True, slots=True)
class Copy:
    """A container to be created.

    Attributes:
        name: of the container.
        config: body of `POST /containers/create`, with the first network.
        more_networks: network to arguments of the SDK's `connect_container_to_network`: engines
            before 25 take one network when a container is created.
    """

    name: str
    config: dict[str, Any]
    more_networks: dict[str, dict[str, Any]]


def number_of(labels: Mapping[str, str]) -> int:
    """Compose's number of a container; 0 where it has none."""
    text = labels.get(_NUMBER, "")
    return int(text) if text.isdigit() else 0


def copy_of(model: Mapping[str, Any], number: int) -> Copy:
    """One more of what `model` describes.

    Args:
        model: answer of `GET /containers/{id}/json`.
        number: compose's number of the new container.
    """
    name = _name(model, number)
    config: dict[str, Any] = dict(model["Config"])
    if config.get("Hostname") == model["Id"][:_SHORT_ID]:
        del config["Hostname"]  # the engine's own: the first characters of the id
    config.pop("MacAddress", None)
    labels = {key: text for key, text in config["Labels"].items() if key != _REPLACED}
    config["Labels"] = labels | {_NUMBER: str(number)}
    host = dict(model["HostConfig"])
    endpoints = {
        network: _aliases(model, endpoint, name)
        for network, endpoint in model["NetworkSettings"]["Networks"].items()
    }
    first = host.get("NetworkMode")
    if first not in endpoints:
        first = next(iter(endpoints), None)
    if first is not None:
        config["NetworkingConfig"] = {"EndpointsConfig": {first: {"Aliases": endpoints[first]}}}
    config["HostConfig"] = host
    return Copy(
        name,
        config,
        {
            network: {"aliases": aliases}
            for network, aliases in endpoints.items()
            if network != first and network not in ("none", "host")
        },
    )


def _name(model: Mapping[str, Any], number: int) -> str:
    """`project-worker-2` after `project-worker-1`."""
    labels = model["Config"]["Labels"]
    before, after = model["Name"].removeprefix("/"), labels.get(_NUMBER, "")
    for separator in "-_":
        if before.endswith(f"{separator}{after}"):
            return f"{before.removesuffix(after)}{number}"
    project, service = (labels[f"com.docker.compose.{part}"] for part in ("project", "service"))
    return f"{project}-{service}-{number}"


def _aliases(model: Mapping[str, Any], endpoint: Mapping[str, Any], name: str) -> list[str]:
    own = {model["Id"][:_SHORT_ID], model["Name"].removeprefix("/")}
    return [name, *(alias for alias in endpoint.get("Aliases") or () if alias not in own)]
