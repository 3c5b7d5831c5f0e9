"""What every test may ask for: real footage, and a skip that CI does not allow."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

from tests.scheduling import ByNeed

ROOT = Path(__file__).parent.parent

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("facestream", deadline=None)
hypothesis.settings.load_profile("facestream")

pytest_plugins = ("tests.brokers",)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByNeed:
    """Called by pytest-xdist."""
    return ByNeed(config, log)


def require_or_skip(condition: bool, reason: str) -> None:
    """Skip on a user's machine, fail in CI, unless `condition` holds."""
    if condition:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must be able to run this: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """A test that sets up a service's logging does so for itself alone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real images and clips; see FACESTREAM_TEST_DATA in the README."""
    folder = Path(os.environ.get("FACESTREAM_TEST_DATA", ROOT.parent / "shared" / "data"))
    require_or_skip(
        folder.is_dir(), f"no test data at {folder}: set FACESTREAM_TEST_DATA to the folder"
    )
    return folder
