"""Rewrites `kafka.lock`: `python -m services.broker.relock` after KAFKA_VERSION was changed."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from jgo.maven import MavenContext

from services.broker.jars import KAFKA_VERSION

# Resolved apart: jgo lets each coordinate it is given manage the versions of the others, and
# log4j's manages a Kafka client of its own choice.
_KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
_LOG4J_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl"
_LOG4J_CORE = "org.apache.logging.log4j:log4j-core"


def main(argv: Sequence[str]) -> int:
    """Resolve, download and hash; writes `kafka.lock` beside this file, or to the path given."""
    lock = Path(argv[0]) if argv else Path(__file__).with_name("kafka.lock")
    with tempfile.TemporaryDirectory() as directory:
        context = MavenContext(repo_cache=Path(directory))
        jars = _closure(context, _KAFKA)
        log4j_version = next(name for name in jars if name.startswith(_LOG4J_CORE)).split(":")[2]
        jars |= _closure(context, f"{_LOG4J_BINDING}:{log4j_version}")
        lines = [
            f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_size:>8} {name}"
            for name, path in sorted(jars.items())
        ]
    lock.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def _closure(context: MavenContext, coordinate: str) -> dict[str, Path]:
    """Coordinate to file, of one artifact and all it needs at run time."""
    inputs, transitive = context.resolver.resolve([context.create_dependency(coordinate)])
    needed = [*inputs, *(each for each in transitive if each.scope in ("compile", "runtime"))]
    return {
        f"{each.groupId}:{each.artifactId}:{each.version}": Path(each.artifact.resolve())
        for each in needed
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
