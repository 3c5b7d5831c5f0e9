"""Certificates to serve with and authorities to trust, as every service is told of them."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from autoscaler.settings import AutoscalerSettings
from consumer.settings import WorkerSettings
from identifier.settings import IdentifierSettings
from producer.settings import ProducerSettings
from services.certificate import Certificate, distrust, trust
from services.cli.people.settings import IdentifierAddress
from services.errors import SettingsError
from services.settings import ServiceSettings
from tests.certificates import Authority, make_certificate
from viewer.settings import ViewerSettings

SOURCE = {"SOURCES": "door=0"}
SERVED = [
    (ViewerSettings, "VIEWER_TLS", "certificate"),
    (IdentifierSettings, "API_TLS", "api_certificate"),
    (ProducerSettings, "INGEST_TLS", "ingest_certificate"),
    *(
        (settings, "METRICS_TLS", "metrics_certificate")
        for settings in (
            ProducerSettings,
            WorkerSettings,
            IdentifierSettings,
            ViewerSettings,
            AutoscalerSettings,
        )
    ),
]
TRUSTED = [
    (ViewerSettings, "IDENTIFIER_CA"),
    (ViewerSettings, "INGEST_CA"),
    (ProducerSettings, "IDENTIFIER_CA"),
    (IdentifierAddress, "IDENTIFIER_CA"),
]


def load(chain: Path | None, key: Path | None) -> ViewerSettings:
    given = {"VIEWER_TLS_CERT": chain, "VIEWER_TLS_KEY": key}
    return ViewerSettings.load([], {name: str(path) for name, path in given.items() if path})


@pytest.mark.parametrize(("settings", "prefix", "attribute"), SERVED)
def test_without_one_it_is_http_and_with_both_halves_https(
    settings: type[ServiceSettings], prefix: str, attribute: str, tmp_path: Path
) -> None:
    assert getattr(settings.load(env=SOURCE), attribute) is None
    chain, key = make_certificate(tmp_path)
    env = {f"{prefix}_CERT": str(chain), f"{prefix}_KEY": str(key)}
    assert getattr(settings.load(env=SOURCE | env), attribute) == Certificate(chain, key)


@pytest.mark.parametrize(("settings", "prefix", "attribute"), SERVED)
def test_half_of_one_is_one_line_that_names_the_variables(
    settings: type[ServiceSettings], prefix: str, attribute: str, tmp_path: Path
) -> None:
    chain, _ = make_certificate(tmp_path)
    says = rf"^{prefix}_KEY= is missing: {prefix}_CERT=.*cert.pem needs its key$"
    with pytest.raises(SettingsError, match=says):
        settings.load(env=SOURCE | {f"{prefix}_CERT": str(chain)})


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


@pytest.mark.parametrize(("settings", "variable"), TRUSTED)
def test_an_authority_that_cannot_be_read_is_one_line_with_variable_and_value(
    settings: type[ServiceSettings], variable: str, tmp_path: Path
) -> None:
    _, key = make_certificate(tmp_path)
    (tmp_path / "empty.pem").touch()
    wrong = {
        tmp_path / "none.pem": "No such file",
        tmp_path: "Is a directory",
        tmp_path / "empty.pem": "no certificate in PEM",
        key: "no certificate in PEM",
    }
    for path, why in wrong.items():
        with pytest.raises(SettingsError, match=rf"^{variable}='{path}': {why}") as found:
            settings.load(env=SOURCE | {variable: str(path)})
        assert "\n" not in str(found.value)


@pytest.mark.parametrize(("settings", "variable"), TRUSTED)
def test_an_authority_is_trusted_instead_of_the_public_ones(
    settings: type[ServiceSettings], variable: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    found = settings.load(env=SOURCE | {variable: str(authority.file)})
    context = trust(getattr(found, variable.lower()))
    assert isinstance(context, ssl.SSLContext)
    assert len(context.get_ca_certs()) == 1
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert trust(None) is True


def test_only_an_error_of_tls_is_blamed_on_it() -> None:
    assert distrust(ConnectionRefusedError("away"), "IDENTIFIER_CA") is None
    error = OSError("a library's own")
    error.__cause__ = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    assert distrust(error, "IDENTIFIER_CA") == "TLS with it fails (no reason given)"
