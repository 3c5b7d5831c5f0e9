from __future__ import annotations

from pathlib import Path

import pytest

from services.access import hash_password
from services.errors import SettingsError
from viewer.settings import ViewerSettings


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"VIEWER_PASSWORD_HASH": "hunter2hunter2"}, "VIEWER_PASSWORD_HASH=.secret.: is no argon2"),
        ({"VIEWER_SECRET": "hunter2"}, "VIEWER_SECRET=.secret."),
        ({"TRUSTED_PROXIES": "10.0.0.0/8,proxy"}, "TRUSTED_PROXIES=.*proxy"),
    ],
)
def test_what_makes_no_sense_is_told_in_one_line_without_the_secret(
    env: dict[str, str], told: str
) -> None:
    with pytest.raises(SettingsError, match=told) as refused:
        ViewerSettings.load([], env)
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_hash_may_lie_in_a_file_and_is_never_shown(tmp_path: Path) -> None:
    hashed = hash_password("correct horse")
    file = tmp_path / "hash"
    file.write_text(f"{hashed}\n")
    settings = ViewerSettings.load([], {"VIEWER_PASSWORD_HASH_FILE": str(file)})
    options = settings.access_options(None)
    assert settings.has_login
    assert options.password_hash == hashed
    assert hashed not in repr(settings)
    assert hashed not in repr(options)
    assert not ViewerSettings.load([], {}).has_login
