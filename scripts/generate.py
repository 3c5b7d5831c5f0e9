"""Write the files that are made from others, or with `--check` fail when one is stale.

services/records/facestream_pb2.py and .pyi from facestream.proto; docs/settings.md from the
settings classes; docs/metrics.md from services/lifecycle/metrics.py.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

from services.lifecycle.metrics import REGISTRY
from services.settings import ServiceSettings, default_text, is_secret, range_text

ROOT = Path(__file__).parent.parent
RECORDS = Path("services/records")


def settings_classes() -> list[type[ServiceSettings]]:
    """Every service's settings class, in the order of the data path."""
    from autoscaler.settings import AutoscalerSettings
    from consumer.settings import WorkerSettings
    from identifier.settings import IdentifierSettings
    from producer.settings import ProducerSettings
    from services.cli.people.settings import IdentifierAddress
    from services.cli.settings import UpSettings
    from viewer.settings import ViewerSettings

    return [
        ProducerSettings,
        WorkerSettings,
        IdentifierSettings,
        ViewerSettings,
        AutoscalerSettings,
        UpSettings,
        IdentifierAddress,
    ]


def settings_page() -> str:
    """docs/settings.md."""
    classes = settings_classes()
    shared = set.intersection(*(set(cls.model_fields) for cls in classes))
    lines = [
        "# Settings",
        "",
        "Made from the settings classes by `make docs`; do not edit.",
        "",
        "Every setting is an environment variable and a flag (`MAX_SIDE=640` is",
        "`--max-side 640`); a flag wins over a variable. A secret has no flag; `NAME_FILE` names a",
        "file that holds it. A wrong value ends the process at start with one line that names it.",
        "",
        "## Every service",
        "",
        *_table(classes[0], [name for name in classes[0].model_fields if name in shared]),
    ]
    for cls in classes:
        own = [name for name in cls.model_fields if name not in shared]
        lines += ["", f"## facestream {cls.service_name}", "", cls.summary, "", *_table(cls, own)]
    return "\n".join(lines) + "\n"


def _table(cls: type[ServiceSettings], names: list[str]) -> Iterator[str]:
    yield "| variable | default | allowed | what |"
    yield "|---|---|---|---|"
    for name in names:
        field = cls.model_fields[name]
        default = "a secret" if is_secret(field) else default_text(field)
        if field.default_factory is not None and default:
            default = "see right" if not _is_constant(name) else default
        cells = (
            f"`{name.upper()}`",
            f"`{default}`" if default else "",
            range_text(field).replace("|", "\\|"),
            (field.description or "").replace("|", "\\|"),
        )
        yield "| " + " | ".join(cells) + " |"


def _is_constant(name: str) -> bool:
    return name == "kafka_config"


def metrics_page() -> str:
    """docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Made from `services/lifecycle/metrics.py` by `make docs`; do not edit.",
        "",
        "Every service answers `/metrics`, `/healthz` and `/readyz` on `METRICS_PORT`.",
        "",
        "| metric | type | labels | what |",
        "|---|---|---|---|",
    ]
    for metric in sorted(REGISTRY.collect(), key=lambda family: family.name):
        total = "_total" if metric.type == "counter" else ""
        collector = REGISTRY._names_to_collectors[metric.name]
        labels = ", ".join(f"`{name}`" for name in getattr(collector, "_labelnames", ()))
        lines.append(
            f"| `{metric.name}{total}` | {metric.type} | {labels} | {metric.documentation} |"
        )
    return "\n".join(lines) + "\n"


def generated_code() -> dict[Path, str]:
    """The generated modules of the record schema."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        status = protoc.main(
            [
                "protoc",
                f"-I{ROOT / RECORDS}",
                f"-I{files('grpc_tools') / '_proto'}",
                f"--python_out={folder}",
                f"--mypy_out=quiet:{folder}",
                str(ROOT / RECORDS / "facestream.proto"),
            ]
        )
        if status != 0:
            raise SystemExit(status)
        return {RECORDS / path.name: path.read_text() for path in sorted(Path(folder).iterdir())}


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail when stale")
    check = parser.parse_args().check
    pages = generated_code()
    pages[Path("docs/settings.md")] = settings_page()
    pages[Path("docs/metrics.md")] = metrics_page()
    stale = [
        path
        for path, text in pages.items()
        if not (ROOT / path).is_file() or (ROOT / path).read_text() != text
    ]
    for path in stale:
        if check:
            sys.stderr.write(f"{path} is stale: run `make docs`\n")
        else:
            (ROOT / path).write_text(pages[path])
            sys.stdout.write(f"wrote {path}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
