from __future__ import annotations

import pytest

from autoscaler.settings import AutoscalerSettings
from services.errors import SettingsError


def load(**variables: str) -> AutoscalerSettings:
    return AutoscalerSettings.load(env=variables)


def test_the_names_are_those_of_the_documentation() -> None:
    settings = load(
        MIN_WORKERS="2",
        MAX_WORKERS="12",
        TARGET_LAG_S="0.5",
        COOL_DOWN_UP_S="10",
        COOL_DOWN_DOWN_S="600",
        DOCKER_HOST="tcp://docker-api:2375",
        COMPOSE_PROJECT="eyes",
        DRY_RUN="true",
    )
    assert (settings.limits.min_workers, settings.limits.max_workers) == (2, 12)
    assert (settings.limits.cool_down_up_s, settings.limits.cool_down_down_s) == (10, 600)
    assert (settings.docker_host, settings.compose_project) == ("tcp://docker-api:2375", "eyes")
    assert settings.dry_run


def test_more_at_least_than_at_most_is_refused_in_one_line() -> None:
    with pytest.raises(SettingsError, match="MIN_WORKERS=5, MAX_WORKERS=4"):
        load(MIN_WORKERS="5")
