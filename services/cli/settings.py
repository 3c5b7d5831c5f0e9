"""What `facestream up` and `facestream demo` can be told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from services.broker.settings import BrokerSettings
from services.kafka.settings import KafkaSettings
from services.settings import CommaSeparated


class UpSettings(BrokerSettings, KafkaSettings):
    """Settings of `facestream up`; every service's own variables count too."""

    service_name: ClassVar[str] = "up"
    summary: ClassVar[str] = (
        "Run every service on this machine: cameras and files in, names on a page.\n\n"
        "  facestream up --source door=rtsp://10.0.0.9/live hall=0 --people ./people\n"
        "  facestream up --source clip=party.mp4 --people ./people --exit-when-done --report r.json"
    )

    sources: CommaSeparated = Field(
        (),
        description="Cameras and files, `name=uri`: a device (0, /dev/video0), rtsp://, http:// "
        "(MJPEG), a video, a picture, a folder. Write a comma in an address as %2C.",
        json_schema_extra={"flag": "--source"},
    )
    people_dir: Path | None = Field(
        None,
        description="Folder of people, `<name>/*.jpg`; watched for changes.",
        json_schema_extra={"flag": "--people"},
    )
    workers: int = Field(0, ge=0, le=256, description="Worker processes; 0 is one per core.")
    seconds: float = Field(
        0, ge=0, le=31_536_000, description="End after so many seconds; 0 runs until Ctrl-C."
    )
    exit_when_done: bool = Field(
        False, description="End once every file source has been shown whole."
    )
    report: Path | None = Field(None, description="Write who was seen where as JSON, at the end.")
    save: Path | None = Field(
        None, description="Write an annotated picture per person and camera here, at the end."
    )
    open_browser: bool = Field(False, description="Open the page in a browser, where there is one.")

    @property
    def worker_count(self) -> int:
        """Worker processes to start."""
        return self.workers or len(os.sched_getaffinity(0))


class DemoSettings(UpSettings):
    """Settings of `facestream demo`."""

    service_name: ClassVar[str] = "demo"
    summary: ClassVar[str] = (
        "Run every service on this machine on sample footage, and show who is seen.\n"
        "Nothing is kept afterwards. Ends with Ctrl-C or after --seconds."
    )

    open_browser: bool = Field(True, description="Open the page in a browser, where there is one.")
