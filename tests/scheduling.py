"""Which tests share a process, with pytest-xdist's `-n`."""

from __future__ import annotations

from pathlib import PurePath

from xdist.scheduler import LoadScopeScheduling

# Each of the two has the stack `demo` to itself, and takes about as long as the other.
_ON_ONE_DEMO = {
    "test_demo": "demo",
    "test_monitoring": "demo",
    "test_backup": "backup",
    "test_images": "backup",
}


def together(nodeid: str) -> str:
    """The name of what a test goes to one process with: its file, but for two cases.

    Browsers take all the time of a core, the other tests mostly wait: all browsers are one after
    another beside the rest. Stacks of containers are few.
    """
    file = PurePath(nodeid.partition("::")[0])
    if "browser" in file.parts:
        return "browser"
    if "stack" in file.parts:
        return _ON_ONE_DEMO.get(file.stem, str(file))
    return str(file)


class ByNeed(LoadScopeScheduling):  # type: ignore[misc]
    """Gives work to processes by `together`."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)
