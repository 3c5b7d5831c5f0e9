"""What the worker can be told."""

from __future__ import annotations

import pytest

from consumer.settings import WorkerSettings
from services.errors import SettingsError


def test_defaults_are_those_of_the_design() -> None:
    settings = WorkerSettings.load(env={})
    assert settings.delivery == "exactly_once"
    assert settings.max_frame_age_s == 2
    assert settings.model_pack == "buffalo_s"
    assert settings.group_id == "facestream-worker"
    assert settings.transactional_id.startswith("facestream-worker-")


@pytest.mark.parametrize(
    "env", [{"BATCH_MAX": "0"}, {"DELIVERY": "maybe"}, {"DEVICE": "abacus"}, {"GROUP_ID": ""}]
)
def test_wrong_values_are_refused_by_name(env: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=rf"^{next(iter(env))}="):
        WorkerSettings.load(env=env)
