"""Jars from Maven repositories: through jgo, which needs no Maven, or through Maven itself."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from services.errors import BrokerError

_TIMEOUT_S = 20
_ATTEMPTS = 3
_MAVEN_TIMEOUT_S = 300

_POM = """<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>facestream</groupId><artifactId>jars</artifactId><version>1</version>
  <dependencies>{dependencies}</dependencies>
</project>
"""
_DEPENDENCY = (
    "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>"
    "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    "</dependency>"
)


def download_with_jgo(coordinate: str, repository: Path) -> Path:
    """Download one jar into a local repository, from where jgo is configured to look.

    Args:
        coordinate: `group:artifact:version`.
        repository: laid out as Maven does; made when missing.

    Raises:
        BrokerError: no repository answered or has it.
    """
    import requests
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    # A repository the user configured comes first: it is there because Central is not.
    remotes = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    context = MavenContext(repo_cache=repository, remote_repos=remotes, timeout=_TIMEOUT_S)
    artifact = context.create_dependency(coordinate).artifact
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return Path(artifact.resolve())
        except requests.RequestException as error:
            # What was cut short lies where a whole file would.
            Path(artifact.cached_path).unlink(missing_ok=True)
            if attempt == _ATTEMPTS or isinstance(error, requests.ConnectTimeout):
                raise BrokerError(
                    f"{coordinate} could not be downloaded ({type(error).__name__})"
                ) from error
        except RuntimeError as error:
            raise BrokerError(
                f"{coordinate} could not be downloaded: no repository has it"
            ) from error
    raise AssertionError("unreachable")  # pragma: no cover


def download_with_maven(coordinates: Sequence[str], landing: Path) -> bool:
    """Let an installed Maven copy these jars, and only these, into a directory.

    Args:
        coordinates: `group:artifact:version` each.
        landing: where `artifact-version.jar` appears.

    Returns:
        False when there is no Maven here, or it could not.
    """
    maven = shutil.which("mvn")
    if maven is None:
        return False
    dependencies = "".join(_DEPENDENCY.format(*item.split(":")) for item in coordinates)
    with tempfile.TemporaryDirectory() as directory:
        pom = Path(directory) / "pom.xml"
        pom.write_text(_POM.format(dependencies=dependencies), encoding="utf-8")
        command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
        command += ["-DoutputDirectory=" + str(landing), "-DoverWriteReleases=true"]
        try:
            result = subprocess.run(  # noqa: S603 - the user's own Maven
                command, capture_output=True, timeout=_MAVEN_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
    return result.returncode == 0
