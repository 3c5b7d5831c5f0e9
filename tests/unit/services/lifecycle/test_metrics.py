"""Every metric once, in its own registry, described."""

from __future__ import annotations

import re

from prometheus_client import REGISTRY as DEFAULT

from services.lifecycle.metrics import REGISTRY


def test_names_have_the_prefix_and_a_description() -> None:
    families = list(REGISTRY.collect())
    assert len(families) > 10
    for family in families:
        assert re.fullmatch(r"facestream_[a-z_]+", family.name)
        assert family.documentation.endswith(".")


def test_nothing_is_in_the_default_registry() -> None:
    assert not [f.name for f in DEFAULT.collect() if f.name.startswith("facestream")]
