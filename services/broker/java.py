"""Finding a Java that can run Apache Kafka."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from services.errors import BrokerError

MINIMUM_JAVA = 17

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def find_java(env: Mapping[str, str] | None = None) -> Path:
    """The `java` command of `JAVA_HOME`, else of `PATH`, when it is new enough.

    Args:
        env: the environment to look in; the process's own when None.

    Raises:
        BrokerError: there is none, or it is too old; the message says what to install.
    """
    variables = os.environ if env is None else env
    found: list[str] = []
    for java in _candidates(variables):
        version = _java_version(java)
        if version is not None and version >= MINIMUM_JAVA:
            return java
        found.append(f"{java} is " + ("not a Java" if version is None else f"Java {version}"))
    seen = f" ({', '.join(found)})" if found else ""
    raise BrokerError(
        f"Apache Kafka needs Java {MINIMUM_JAVA} or newer, and there is none{seen}: install a "
        "Java runtime (Debian, Ubuntu: openjdk-17-jre-headless) or set JAVA_HOME"
    )


def _candidates(variables: Mapping[str, str]) -> list[Path]:
    candidates = []
    if home := variables.get("JAVA_HOME"):
        candidates.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java", path=variables.get("PATH", os.defpath)):
        candidates.append(Path(on_path))
    return [java for java in candidates if java.is_file()]


def _java_version(java: Path) -> int | None:
    try:
        result = subprocess.run(  # noqa: S603 - the user's own JAVA_HOME or PATH
            [java, "-version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(result.stderr + result.stdout)
    return int(match[1]) if match else None
