from __future__ import annotations

from pathlib import Path

import pytest

from services.errors import SettingsError
from tests.certificates import make_certificate
from viewer.settings import ViewerSettings


def load(chain: Path | None, key: Path | None) -> ViewerSettings:
    given = {"VIEWER_TLS_CERT": chain, "VIEWER_TLS_KEY": key}
    return ViewerSettings.load([], {name: str(path) for name, path in given.items() if path})


def test_without_one_the_page_is_http() -> None:
    assert load(None, None).certificate is None


def test_with_both_halves_the_page_is_https(tmp_path: Path) -> None:
    chain, key = make_certificate(tmp_path)
    certificate = load(chain, key).certificate
    assert certificate is not None
    assert (certificate.chain, certificate.key) == (chain, key)


def test_one_half_alone_is_one_line_that_names_the_other(tmp_path: Path) -> None:
    chain, key = make_certificate(tmp_path)
    with pytest.raises(SettingsError, match=r"^VIEWER_TLS_KEY= is missing: .*cert.pem"):
        load(chain, None)
    with pytest.raises(SettingsError, match=r"^VIEWER_TLS_CERT= is missing: .*key.pem"):
        load(None, key)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    chain, key = make_certificate(tmp_path)
    with pytest.raises(SettingsError, match=r"^VIEWER_TLS_CERT=.*none.pem: No such file"):
        load(tmp_path / "none.pem", key)
    with pytest.raises(SettingsError, match=r"^VIEWER_TLS_KEY=.*: Is a directory"):
        load(chain, tmp_path)


def test_what_does_not_belong_together_is_said_at_start(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    chain, key = make_certificate(tmp_path)
    _, other_key = make_certificate(tmp_path / "other")
    for one, two in ((chain, other_key), (key, key), (chain, chain)):
        with pytest.raises(SettingsError, match=r"^VIEWER_TLS_CERT=.*, VIEWER_TLS_KEY=") as found:
            load(one, two)
        assert "\n" not in str(found.value)


def test_a_key_under_a_password_is_refused_and_not_asked_for(tmp_path: Path) -> None:
    chain, key = make_certificate(tmp_path, "secret")
    with pytest.raises(SettingsError, match=r"^VIEWER_TLS_CERT="):
        load(chain, key)
