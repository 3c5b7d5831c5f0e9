from __future__ import annotations

from typing import ClassVar

import pytest

from services.errors import SettingsError
from services.models.analysis import MAX_FACES, MIN_SCORE, PADDING_PX, STREAM_SIZES_PX
from services.models.settings import ModelSettings


class Settings(ModelSettings):
    service_name: ClassVar[str] = "test"
    summary: ClassVar[str] = "For tests."


def test_the_defaults_are_those_of_the_analyser() -> None:
    settings = Settings.load([], {})
    assert settings.model_pack == "buffalo_s"
    assert settings.device == "auto"
    assert settings.detection_sizes == STREAM_SIZES_PX
    assert settings.detection_padding == PADDING_PX
    assert settings.detection_score == MIN_SCORE
    assert settings.max_faces == MAX_FACES


def test_sizes_are_read_from_a_variable() -> None:
    assert Settings.load([], {"DETECTION_SIZES": "960, 320"}).detection_sizes == (960, 320)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DETECTION_SIZES", "10"),
        ("DETECTION_SIZES", "640,large"),
        ("DETECTION_SCORE", "1.5"),
        ("DEVICE", "gpu"),
        ("INFERENCE_THREADS", "0"),
        ("MODEL_PACK", "../buffalo_s"),
        ("MAX_FACES", "-1"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_name(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}="):
        Settings.load([], {variable: value})
