"""The `facestream` command."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from services.errors import FacestreamError, FatalError
from services.lifecycle.orphans import end_with_parent

_COMMANDS = {
    "demo": ("services.cli.demo", "everything on this machine, on sample footage"),
    "up": ("services.cli.up", "everything on this machine, on your cameras and files"),
    "tag": ("services.cli.tag.command", "photos and videos in, JSON and tagged pictures out"),
    "producer": ("producer.main", "one service: cameras and files into frames.raw"),
    "worker": ("consumer.main", "one service: find and embed faces"),
    "identifier": ("identifier.main", "one service: name faces, keep the gallery, REST API"),
    "viewer": ("viewer.main", "one service: the page"),
    "autoscaler": ("autoscaler.main", "one service: as many workers as the cameras need (Docker)"),
    "people": (
        "services.cli.people.command",
        "enrol, list, rename, merge, import, erase people; search the past",
    ),
    "sightings": ("services.cli.people.sightings", "who was where and when"),
    "unknowns": ("services.cli.people.unknowns", "people without a name: list, name, merge"),
    "explain": ("services.cli.explain", "why a sighting has its name"),
    "users": ("services.cli.access.users", "who may log in to the page; hash of a password"),
    "tokens": ("services.cli.access.tokens", "API tokens for programs"),
    "topics": ("services.cli.topics", "create or describe the topics"),
    "models": ("services.cli.models", "list, pull or verify model packs"),
    "doctor": ("services.cli.doctor", "check everything and say what to fix"),
}
_INTERRUPTED = 130


def usage() -> str:
    """What `facestream --help` prints."""
    width = max(len(name) for name in _COMMANDS)
    lines = ["Streaming face recognition on Kafka: cameras in, names out.", ""]
    lines += ["usage: facestream COMMAND [OPTIONS]", ""]
    lines += [f"  {name:<{width}}  {text}" for name, (_, text) in _COMMANDS.items()]
    lines += ["", "`facestream COMMAND --help` lists a command's options and variables."]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; an error is one line on stderr and a non-zero status."""
    end_with_parent()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"facestream {version('facestream')}")
        return 0
    command, *rest = arguments
    if command not in _COMMANDS:
        print(f"facestream: no command {command!r}; see facestream --help", file=sys.stderr)
        return 2
    try:
        status: int = importlib.import_module(_COMMANDS[command][0]).main(rest)
    except FatalError as error:
        print(f"facestream {command}: {error}", file=sys.stderr)
        return error.exit_code
    except FacestreamError as error:
        print(f"facestream {command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return status


if __name__ == "__main__":
    raise SystemExit(main())
