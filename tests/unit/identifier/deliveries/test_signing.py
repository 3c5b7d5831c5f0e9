"""Signatures of webhooks, against the specification's own example."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from identifier.deliveries.signing import parse_secrets, sign
from services.errors import SettingsError

# From the reference libraries' own test of signing, the same in each language.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_example_has_the_published_signature() -> None:
    signature = sign(
        parse_secrets(SECRET),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        b'{"test": 2432232314}',
    )
    assert signature == SIGNATURE


def test_during_a_change_of_secrets_there_is_a_signature_by_each() -> None:
    other = b"k" * 32
    keys = parse_secrets(f"{SECRET}, whsec_{base64.b64encode(other).decode()}")
    first, second = sign(keys, "evt_1", 7, b"{}").split(" ")
    assert first == sign(parse_secrets(SECRET), "evt_1", 7, b"{}")
    digest = hmac.new(other, b"evt_1.7.{}", hashlib.sha256).digest()
    assert second == f"v1,{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a passphrase",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_c2hvcnQ=",
        "whsec_!!!",
        f"whsec_{base64.b64encode(bytes(65)).decode()}",
    ],
)
def test_a_weak_or_mistyped_secret_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_SECRET") as caught:
        parse_secrets(text)
    assert "c2hvcnQ" not in str(caught.value)
    assert "passphrase" not in str(caught.value)
