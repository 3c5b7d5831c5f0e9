"""Settings of the broker that facestream brings up itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from services.settings import ServiceSettings


class BrokerSettings(ServiceSettings):
    """Which embedded broker runs and where it keeps its log; unused when a cluster is given."""

    embedded_broker: Literal["auto", "kafka", "memory"] = Field(
        "auto",
        description="Broker to bring up: a real Apache `kafka`, one in `memory`, or `auto`: "
        "kafka where Java 17 and its jars are to be had, else memory.",
    )
    data_dir: Path | None = Field(
        None,
        description="Directory of everything that is kept; "
        "`${XDG_DATA_HOME:-~/.local/share}/facestream` when unset.",
    )
    cache_dir: Path | None = Field(
        None,
        description="Directory of what can be downloaded again; "
        "`${XDG_CACHE_HOME:-~/.cache}/facestream` when unset.",
    )
    broker_heap_mb: int = Field(
        512, ge=192, le=65_536, description="Java heap (MiB) of the embedded Kafka."
    )
    broker_port: int = Field(
        0, ge=0, le=65_535, description="Port of the embedded Kafka on 127.0.0.1; 0 is any free."
    )


def default_data_dir() -> Path:
    """`${XDG_DATA_HOME:-~/.local/share}/facestream`."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "facestream"
