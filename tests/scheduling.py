"""Which tests share a process, with pytest-xdist's `-n`."""

from __future__ import annotations

from pathlib import PurePath

from xdist.scheduler import LoadScopeScheduling

_ABOUT_DEMO = ("test_backup", "test_demo", "test_images", "test_monitoring")


def together(nodeid: str) -> str:
    """The name of what a test goes to one process with: its file, but for two cases.

    Browsers take all the time of a core, the other tests mostly wait: all browsers are one after
    another beside the rest. All that is about the stack `demo` of the containers uses the same one.
    """
    file = PurePath(nodeid.partition("::")[0])
    if "browser" in file.parts:
        return "browser"
    if "stack" in file.parts and file.stem in _ABOUT_DEMO:
        return "demo"
    return str(file)


class ByNeed(LoadScopeScheduling):  # type: ignore[misc]
    """Gives work to processes by `together`."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)
