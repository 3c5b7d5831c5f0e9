"""Make the lock of each image: what one service imports, out of requirements.lock, nothing more.

    python deploy/docker/locks.py            write deploy/docker/<image>.txt
    python deploy/docker/locks.py --check    say what is out of date, and fail

Run it in the development environment: it asks the packages that are installed there which modules
they bring.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
OWN = ("services", "producer", "consumer", "identifier", "viewer", "autoscaler")

# What every image can do besides its own service.
_EVERYWHERE = ("services.cli.main", "services.cli.topics")


@dataclass(frozen=True, slots=True)
class Image:
    """What an image runs.

    Attributes:
        entries: modules it starts from; a package's name stands for all of its modules.
        unseen: distributions that no import names.
    """

    entries: tuple[str, ...]
    unseen: tuple[str, ...] = ()


IMAGES: Mapping[str, Image] = {
    "producer": Image(("producer",)),
    "worker": Image(("consumer", "services.cli.models")),
    "identifier": Image(
        (
            "identifier",
            "services.cli.people",
            "services.cli.access",
            "services.cli.models",
            "services.cli.explain",
        ),
        # SQLAlchemy's driver; forms of FastAPI; the files of the API's own page.
        unseen=("psycopg", "python-multipart", "fastapi-offline"),
    ),
    "viewer": Image(("viewer", "services.access"), unseen=("tzdata",)),
    "autoscaler": Image(("autoscaler",)),
}

# Asked for only where they are installed, or only by the embedded broker, which no image runs.
_OPTIONAL = frozenset({"openvino", "insightface", "s3fs", "jgo", "requests", "psutil"})
_NAME = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


def main(argv: Sequence[str] = ()) -> int:
    """Write the locks, or compare them."""
    stale = []
    blocks = _blocks((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    for name, image in IMAGES.items():
        path = HERE / f"{name}.txt"
        text = lock_text(image, blocks)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if "--check" in argv:
            stale.append(path.relative_to(ROOT))
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")  # noqa: T201 - a command line
    for path in stale:
        print(f"{path} is out of date: run deploy/docker/locks.py")  # noqa: T201
    return 1 if stale else 0


def lock_text(image: Image, blocks: Mapping[str, str]) -> str:
    """The part of the lock that an image needs, without its comments."""
    needed = with_their_own(distributions(imported(image.entries)) | set(image.unseen), blocks)
    unknown = sorted(needed - set(blocks))
    if unknown:
        raise SystemExit(f"not in requirements.lock: {', '.join(unknown)}")
    head = "# Made from requirements.lock by deploy/docker/locks.py; do not edit.\n"
    return head + "".join(_bare(blocks[name]) for name in sorted(needed))


def imported(entries: Sequence[str]) -> set[str]:
    """Top-level modules, not our own, that these modules import, wherever in them."""
    seen: set[str] = set()
    outside: set[str] = set()
    waiting = [module for entry in (*entries, *_EVERYWHERE) for module in _below(entry)]
    while waiting:
        module = waiting.pop()
        path = _file(module)
        if path is None or module in seen:
            continue
        seen.add(module)
        if "." in module:
            waiting.append(module.rpartition(".")[0])
        for name in _imports(path):
            top = name.partition(".")[0]
            if top in OWN:
                waiting.append(name)
            elif top not in sys.stdlib_module_names and top not in _OPTIONAL:
                outside.add(top)
    return outside


def distributions(modules: set[str]) -> set[str]:
    """The locked distributions that bring these modules."""
    locked = set(_blocks((ROOT / "requirements.lock").read_text(encoding="utf-8")))
    found = set()
    for module in modules:
        names = {_normal(name) for name in _installed().get(module, ())} & locked
        if not names:
            raise SystemExit(f"no package of requirements.lock brings {module}")
        found |= names
    return found


def with_their_own(names: set[str], blocks: Mapping[str, str]) -> set[str]:
    """These distributions, and all that they need in turn."""
    needs: dict[str, set[str]] = {}
    for name, block in blocks.items():
        for parent in re.findall(r"^    #(?: via)? +([A-Za-z0-9._-]+)", block, re.MULTILINE):
            if parent != "via":
                needs.setdefault(_normal(parent), set()).add(name)
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs.get(name, ())
    return found


@cache
def _installed() -> Mapping[str, Sequence[str]]:
    return packages_distributions()


def _blocks(text: str) -> dict[str, str]:
    """Name to its lines in the lock; a name that is there twice (markers) has all of them."""
    blocks: dict[str, str] = {}
    starts = [match.start() for match in _NAME.finditer(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        name = _normal(text[start:].partition("==")[0])
        blocks[name] = blocks.get(name, "") + text[start:end]
    return blocks


def _bare(block: str) -> str:
    return "".join(f"{line}\n" for line in block.splitlines() if not line.startswith("    #"))


def _below(entry: str) -> Iterator[str]:
    folder = ROOT / entry.replace(".", "/")
    if not folder.is_dir():
        yield entry
        return
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _file(module: str) -> Path | None:
    base = ROOT / module.replace(".", "/")
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
