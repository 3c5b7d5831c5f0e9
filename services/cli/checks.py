"""What `facestream doctor` looks at: each check says how it stands, and what to do about it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

from services.broker.jars import default_cache_dir, download_size_bytes, is_complete
from services.broker.java import find_java
from services.broker.settings import BrokerSettings, default_data_dir
from services.doctor.check import Check, State
from services.doctor.cluster import cluster_checks
from services.doctor.machine import disk
from services.errors import BrokerError, FacestreamError
from services.kafka.settings import KafkaSettings
from services.models.settings import ModelSettings

_BROKER_TIMEOUT_S = 8.0


class DoctorSettings(BrokerSettings, ModelSettings, KafkaSettings):
    """Settings of `facestream doctor`: the variables of the services it looks at."""

    service_name: ClassVar[str] = "doctor"
    summary: ClassVar[str] = (
        "Check broker, topics, models, cameras, GPU, disk and ports, and say what to fix."
    )


def all_checks(settings: DoctorSettings) -> Iterator[Check]:
    """Every check, one after the other, in the order of the data path."""
    yield Check("facestream", "ok", f"{version('facestream')} on Python {sys.version.split()[0]}")
    yield from cameras()
    yield from broker(settings)
    yield from models(settings)
    yield disk(settings.data_dir or default_data_dir())
    for name, variable, port in (("page", "VIEWER_PORT", 5010), ("API", "API_PORT", 5011)):
        yield listening(name, variable, int(os.environ.get(variable) or port))


def cameras() -> Iterator[Check]:
    """Each source of SOURCES or SOURCE gives a frame."""
    from producer.addresses import redact
    from producer.settings import ProducerSettings
    from producer.sources import SourceOptions, open_source

    if not (os.environ.get("SOURCES") or os.environ.get("SOURCE")):
        yield Check("cameras", "warn", "none named", "set SOURCES=name=uri,...")
        return
    options = SourceOptions(connect_timeout_s=5, read_timeout_s=5)
    for spec in ProducerSettings.load().specs():
        what = f"camera {spec.camera}"
        try:
            source = open_source(spec.uri, options)
            try:
                image = next(iter(source.frames())).load()
            finally:
                source.close()
        except StopIteration:
            yield Check(what, "fail", f"{redact(spec.uri)} gave no frame", "is it empty?")
        except FacestreamError as error:
            yield Check(what, "fail", str(error), "check address, login and network")
        else:
            height, width = image.shape[:2]
            yield Check(what, "ok", f"{redact(spec.uri)}: {width} x {height}")


def broker(settings: DoctorSettings) -> Iterator[Check]:
    """The cluster that is given answers and has the topics; else what could be brought up here."""
    if "KAFKA_BOOTSTRAP_SERVERS" not in os.environ:
        yield _embedded(settings)
        return
    yield from cluster_checks(settings, _BROKER_TIMEOUT_S)


def _embedded(settings: DoctorSettings) -> Check:
    try:
        java = find_java()
    except BrokerError as error:
        state: State = "fail" if settings.embedded_broker == "kafka" else "warn"
        fix = "install a Java runtime, 17 or newer, or set KAFKA_BOOTSTRAP_SERVERS"
        return Check("broker", state, f"{error}; `up` would keep everything in memory", fix)
    cached = is_complete(settings.cache_dir or default_cache_dir())
    jars = (
        "its jars are here"
        if cached
        else f"its jars will be downloaded ({download_size_bytes() / 1e6:.0f} MB)"
    )
    choice = f"EMBEDDED_BROKER={settings.embedded_broker}"
    return Check("broker", "ok", f"embedded, {choice}: {java}, {jars}")


def models(settings: DoctorSettings) -> Iterator[Check]:
    """Which ONNX Runtime really runs, which devices it has, and whether the pack is whole."""
    from services.models.devices import candidates, describe_runtime
    from services.models.install import verify_pack

    runtime = describe_runtime()
    builds = ", ".join(f"{name} {number}" for name, number in runtime.distributions.items())
    detail = f"{builds} (running {runtime.version}: {', '.join(runtime.providers)})"
    if runtime.warning is not None:
        yield Check("runtime", "fail", detail, runtime.warning)
    else:
        yield Check("runtime", "ok", detail)
    yield _gpu(runtime.devices)
    try:
        candidates(settings.device)
    except FacestreamError as error:
        yield Check("device", "fail", str(error), "or set DEVICE=auto")
    broken = [
        file for file in verify_pack(settings.model_pack, settings.models_dir) if file.state != "ok"
    ]
    if not broken:
        yield Check("models", "ok", f"{settings.model_pack}: every file verified")
    elif all(file.state == "missing" for file in broken):
        pull = f"facestream models pull {settings.model_pack}"
        yield Check("models", "warn", f"{settings.model_pack} is pulled at first use", pull)
    else:
        pull = f"facestream models pull {settings.model_pack}"
        yield Check("models", "fail", "; ".join(file.detail for file in broken), pull)


def _gpu(devices: tuple[str, ...]) -> Check:
    card = any(Path("/dev").glob("nvidia[0-9]*"))
    if "cuda" in devices:
        return Check("GPU", "ok" if card else "warn", "CUDA build" + ("" if card else ", no card"))
    if card:
        return Check("GPU", "warn", "a card is here, this build cannot use it", "make gpu")
    return Check("GPU", "ok", f"none; DEVICE may be {', '.join(devices)}")


def listening(name: str, variable: str, port: int) -> Check:
    """Whether a port is free, or taken (perhaps by facestream itself)."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return Check(f"{name} port", "ok", f"{port} is free")
    return Check(
        f"{name} port", "warn", f"{port} is in use", f"by facestream itself? else set {variable}"
    )
