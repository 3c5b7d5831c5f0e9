"""One class gives variables, flags and docs; wrong values end in one line."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import Field, SecretStr, ValidationError, model_validator

from services.errors import SettingsError
from services.kafka.settings import RECORD_OVERHEAD_BYTES, KafkaSettings
from services.settings import (
    CommaSeparated,
    ServiceSettings,
    default_text,
    help_text,
    is_secret,
    range_text,
)


class Example(KafkaSettings):
    """One field of every kind."""

    service_name: ClassVar[str] = "example"
    summary: ClassVar[str] = "An example of a service."

    rate: float = Field(2.5, gt=0, le=100, description="Frames/s, 100% of them.")
    count: int = Field(3, ge=1, description="How many.")
    mode: Literal["slow", "fast"] = Field("slow", description="How.")
    protocol: Literal["a", "b"] | None = Field(None, description="Which, if any.")
    loop: bool = Field(False, description="Again and again.")
    names: CommaSeparated = Field(("a", "b"), description="Names.")
    folder: Path | None = Field(None, description="Where.")
    camera_url: str = Field("", description="Camera.", pattern="^(rtsp://.*)?$")
    token: SecretStr | None = Field(None, min_length=8, description="A secret.")
    needed: str = Field(description="What must be said.")

    @model_validator(mode="after")
    def _together(self) -> Example:
        if self.mode == "fast" and self.rate < 1:
            raise ValueError(f"RATE={self.rate:g} is too low for MODE=fast")
        return self


ENV = {"NEEDED": "yes"}


def load(*argv: str, **env: str) -> Example:
    return Example.load(argv, env=ENV | env)


def refusal(*argv: str, **env: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(*argv, **env)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_defaults_hold_where_nothing_is_said() -> None:
    settings = load()
    assert (settings.rate, settings.count, settings.loop) == (2.5, 3, False)
    assert settings.names == ("a", "b")


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_default() -> None:
    assert load(COUNT="5").count == 5
    assert load("--count", "7", COUNT="5").count == 7


def test_the_process_environment_is_read_by_load_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNT", "9")
    monkeypatch.setenv("NEEDED", "yes")
    assert load().count == 3
    assert Example(needed="x").count == 3
    assert Example.load().count == 9


def test_a_secret_comes_from_its_variable_then_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-the-file\n")
    by_file = load(TOKEN_FILE=str(file)).token
    assert by_file is not None
    assert by_file.get_secret_value() == "from-the-file"
    both = load(TOKEN_FILE=str(file), TOKEN="from-the-variable").token
    assert both is not None
    assert both.get_secret_value() == "from-the-variable"
    empty = load(TOKEN_FILE=str(file), TOKEN="").token
    assert empty is not None
    assert empty.get_secret_value() == "from-the-file"


def test_a_secret_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    assert refusal(TOKEN_FILE=str(missing)) == f"TOKEN_FILE={missing}: No such file or directory"


def test_a_secret_has_no_flag_and_shows_in_no_repr_and_no_error() -> None:
    assert "unrecognized arguments: --token" in refusal("--token", "open-sesame")
    settings = load(TOKEN="open-sesame", KAFKA_SASL_PASSWORD="hunter2222")
    assert "open-sesame" not in repr(settings)
    assert "hunter2222" not in repr(settings)
    text = refusal(TOKEN="sesame")
    assert text.startswith("TOKEN=(secret): ")
    assert "sesame" not in text


def test_other_kafka_properties_show_in_no_repr_as_some_are_secrets() -> None:
    settings = load(**{"KAFKA_CONFIG__sasl.oauthbearer.client.secret": "hunter2222"})
    assert settings.kafka_config == {"sasl.oauthbearer.client.secret": "hunter2222"}
    assert "hunter2222" not in repr(settings)


def test_a_password_in_an_address_shows_in_no_error() -> None:
    text = refusal(CAMERA_URL="http://admin:hunter2@10.0.0.1/video")
    assert "hunter2" not in text
    assert "://***@10.0.0.1/video" in text


@pytest.mark.parametrize(
    ("env", "shown", "allowed"),
    [
        ({"COUNT": "0"}, "COUNT='0'", "1 or more"),
        ({"RATE": "101"}, "RATE='101'", "above 0 to 100"),
        ({"RATE": "quick"}, "RATE='quick'", "above 0 to 100"),
        ({"MODE": "middling"}, "MODE='middling'", "slow | fast"),
        ({"PROTOCOL": "c"}, "PROTOCOL='c'", "a | b"),
        ({"LOOP": "perhaps"}, "LOOP='perhaps'", "true | false"),
        ({"METRICS_PORT": "65536"}, "METRICS_PORT='65536'", "0 to 65535"),
    ],
)
def test_a_wrong_value_is_one_line_with_variable_value_and_range(
    env: dict[str, str], shown: str, allowed: str
) -> None:
    text = refusal(**env)
    assert text.startswith(f"{shown}: ")
    assert text.endswith(f"(allowed: {allowed})")


def test_a_wrong_flag_is_refused_as_the_variable_is() -> None:
    assert refusal("--count", "0") == refusal(COUNT="0")


def test_an_unknown_or_shortened_flag_is_one_line() -> None:
    assert refusal("--nonsense", "1").endswith("see facestream example --help")
    assert "--coun" in refusal("--coun", "1")


def test_a_long_wrong_value_is_cut() -> None:
    assert len(refusal(COUNT="9" * 10_000 + "x")) < 500


def test_what_must_be_said_is_asked_for() -> None:
    with pytest.raises(SettingsError, match=r"^NEEDED is not set: What must be said\.$"):
        Example.load(env={})


def test_a_wrong_combination_says_so() -> None:
    assert refusal(MODE="fast", RATE="0.5") == "RATE=0.5 is too low for MODE=fast"


def test_an_empty_variable_counts_as_not_set() -> None:
    settings = load(COUNT="", FOLDER="", LOOP="")
    assert (settings.count, settings.folder, settings.loop) == (3, None, False)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("yes", True), ("off", False), ("0", False)]
)
def test_a_switch_is_a_variable_or_a_flag_with_or_without_value(text: str, value: bool) -> None:
    assert load(LOOP=text).loop is value
    assert load("--loop", text).loop is value
    assert load("--loop").loop is True


def test_a_list_is_comma_separated() -> None:
    assert load(NAMES=" x , y,,z ").names == ("x", "y", "z")
    assert load("--names", "x,y").names == ("x", "y")


def test_kafka_properties_are_gathered_by_name() -> None:
    env = {"KAFKA_CONFIG__SOCKET_TIMEOUT_MS": "5000", "KAFKA_CONFIG__linger.ms": "7"}
    assert load(**env).kafka_config == {"socket.timeout.ms": "5000", "linger.ms": "7"}


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        load().count = 5  # type: ignore[misc]


def test_help_shows_every_variable_and_no_percent_breaks_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        load("--help")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for name, field in Example.model_fields.items():
        if is_secret(field):
            assert f"{name.upper()}[_FILE]" in text
        elif name == "kafka_config":
            assert "KAFKA_CONFIG__<NAME>" in text
        else:
            assert f"[{name.upper()}]" in text.replace("\n", " ")
    assert "100% of them" in text


def test_every_field_of_every_base_has_a_description() -> None:
    for cls in (ServiceSettings, KafkaSettings):
        for name, field in cls.model_fields.items():
            assert field.description, name


@pytest.mark.parametrize(
    ("name", "allowed", "default"),
    [
        ("rate", "above 0 to 100", "2.5"),
        ("count", "1 or more", "3"),
        ("mode", "slow | fast", "slow"),
        ("protocol", "a | b", ""),
        ("loop", "true | false", "false"),
        ("names", "", "a,b"),
        ("folder", "", ""),
        ("needed", "", "required"),
        ("kafka_config", "", ""),
    ],
)
def test_ranges_and_defaults_read_well(name: str, allowed: str, default: str) -> None:
    field = Example.model_fields[name]
    assert range_text(field) == allowed
    assert default_text(field) == default


def test_help_of_a_field_holds_its_range_and_default() -> None:
    assert help_text(Example.model_fields["count"]) == "How many. (1 or more; default 3)"


def test_a_queue_that_no_record_fits_is_refused() -> None:
    text = refusal(KAFKA_MAX_MESSAGE_BYTES="104857600", KAFKA_QUEUE_BUFFERING_MAX_KBYTES="1024")
    assert text.startswith("KAFKA_QUEUE_BUFFERING_MAX_KBYTES=1024: ")
    assert f"allowed: {(104_857_600 + 2 * RECORD_OVERHEAD_BYTES) // 1024} or more" in text
