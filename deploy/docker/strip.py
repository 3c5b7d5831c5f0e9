"""Take what installs software out of the base image's Python: an image that runs needs none."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

for name in ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack", "ensurepip"):
    spec = importlib.util.find_spec(name)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        shutil.rmtree(place)
        for leftover in Path(place).parent.glob(f"{name}-*.*-info"):
            shutil.rmtree(leftover)
for folder in {Path(sys.prefix, "bin"), Path("/usr/local/bin"), Path("/usr/bin")}:
    for program in (*folder.glob("pip*"), *folder.glob("wheel*")):
        program.unlink()
