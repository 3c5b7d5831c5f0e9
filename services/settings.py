"""Settings: one class per service gives its variables, its flags and its table in the docs.

A service subclasses `ServiceSettings` (adding `services.kafka.settings.KafkaSettings` where it
talks to Kafka) and calls `load`. Flags win over variables, variables over `NAME_FILE` files,
files over defaults. The result is frozen: nothing reads the environment afterwards.
"""

from __future__ import annotations

import argparse
import os
import re
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any, ClassVar, Literal, NoReturn, Self, Union, get_args, get_origin

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from services.certificate import Certificate, check_certificate
from services.errors import SettingsError

CommaSeparated = Annotated[tuple[str, ...], NoDecode]
"""A list of strings, written `a,b,c` in a variable or flag."""

_CREDENTIALS = re.compile(r"(://)[^/\s]*@")
_LONGEST_SHOWN = 200


class ServiceSettings(BaseSettings):
    """What every service can be told, whatever it does.

    Raises:
        SettingsError: from `load`, naming the variable, its value and what is allowed.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False)

    service_name: ClassVar[str]
    summary: ClassVar[str]

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe log line to write."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="`console` is key=value, `auto` takes it on a terminal, JSON elsewhere."
    )
    metrics_host: str = Field(
        "127.0.0.1", description="Address that `/metrics`, `/healthz` and `/readyz` listen on."
    )
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Port of `/metrics`, `/healthz`, `/readyz`; 0 is off."
    )
    metrics_tls_cert: Path | None = Field(
        None,
        description="Certificate chain (PEM) to serve that port over https with, together with "
        "`METRICS_TLS_KEY`.",
    )
    metrics_tls_key: Path | None = Field(None, description="Private key (PEM) of the certificate.")
    metrics_textfile: Path | None = Field(
        None,
        description="File to write the metrics to at exit, for a textfile collector.",
    )

    @model_validator(mode="after")
    def _metrics_certificate_is_whole(self) -> Self:
        check_certificate("METRICS_TLS", self.metrics_tls_cert, self.metrics_tls_key)
        return self

    @property
    def metrics_certificate(self) -> Certificate | None:
        """What to serve METRICS_PORT over https with; None for http."""
        return Certificate.of(self.metrics_tls_cert, self.metrics_tls_key)

    @classmethod
    def load(
        cls, argv: Sequence[str] = (), env: Mapping[str, str] | None = None, prog: str | None = None
    ) -> Self:
        """Read flags and variables once.

        Args:
            argv: command-line flags, without the program's name.
            env: the environment; the process's own when None.
            prog: the command shown in `--help`.
        """
        variables = dict(os.environ if env is None else env)
        flags = vars(cls._parser(prog).parse_args(list(argv)))
        given: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            variable = name.upper()
            value = variables.get(variable)
            file = variables.get(f"{variable}_FILE")
            if flags.get(name) is not None:
                given[name] = flags[name]
            elif is_open_ended(field):
                continue
            elif value:
                given[name] = value
            elif file and is_secret(field):
                given[name] = _read_secret(variable, Path(file))
            elif value is not None and field.annotation is str:
                given[name] = value
        try:
            return cls.model_validate(_split_lists(cls, cls.collect(variables) | given))
        except ValidationError as error:
            raise SettingsError(_one_line(cls, error)) from None

    @classmethod
    def collect(cls, variables: Mapping[str, str]) -> dict[str, Any]:
        """Fields whose variables have names of their own; a subclass overrides it.

        What a flag or the field's plain variable says wins over it.
        """
        del variables
        return {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from `load` alone, so that nothing reads the environment twice."""
        del settings_cls
        return (init_settings,)

    @classmethod
    def _parser(cls, prog: str | None) -> argparse.ArgumentParser:
        without_flag = [
            name
            for name, field in cls.model_fields.items()
            if is_secret(field) or is_open_ended(field)  # a flag shows it to the whole machine
        ]
        parser = _Parser(
            prog=prog or f"facestream {cls.service_name}",
            description=cls.summary,
            epilog=_epilog(cls, without_flag),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        for name, field in cls.model_fields.items():
            if name in without_flag:
                continue
            extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
            many = get_origin(field.annotation) is tuple
            nargs = "+" if many else "?" if field.annotation is bool else None
            parser.add_argument(
                f"--{name.replace('_', '-')}",
                *([str(extra["flag"])] if "flag" in extra else []),
                dest=name,
                action="extend" if many else "store",
                metavar=_metavar(field),
                help=f"{help_text(field)} [{name.upper()}]".replace("%", "%%"),
                nargs=nargs,
                const="true" if nargs == "?" else None,
            )
        return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message}; see {self.prog} --help")


def _epilog(cls: type[ServiceSettings], without_flag: Sequence[str]) -> str:
    lines = ["Every flag is also an environment variable, named in brackets."]
    if without_flag:
        lines += ["", "variables without a flag:"]
    for name in without_flag:
        field = cls.model_fields[name]
        variable = f"{name.upper()}[_FILE]" if is_secret(field) else f"{name.upper()}__<NAME>"
        lines += [f"  {variable}", *(f"        {text}" for text in wrap(help_text(field), 78))]
    return "\n".join(lines)


def is_open_ended(field: FieldInfo) -> bool:
    """Whether a field gathers many variables, `NAME__...`, into a dictionary."""
    return get_origin(field.annotation) is dict


def is_secret(field: FieldInfo) -> bool:
    """Whether a field holds a secret: no flag, no value in `repr`, `NAME_FILE` honoured."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


def default_text(field: FieldInfo) -> str:
    """The default as a user would write it; empty when unset, `required` when there is none."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value == "" or value == () or value == {}:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return str(value)


def range_text(field: FieldInfo) -> str:
    """The allowed values, for people: `0 to 65535`, `a | b`; empty when anything goes."""
    options = _choices(field.annotation)
    if options:
        return " | ".join(options)
    if field.annotation is bool:
        return "true | false"
    low = high = None
    for item in field.metadata:
        for bound in ("ge", "gt"):
            if (value := getattr(item, bound, None)) is not None:
                low = f"{value}" if bound == "ge" else f"above {value}"
        for bound in ("le", "lt"):
            if (value := getattr(item, bound, None)) is not None:
                high = f"{value}" if bound == "le" else f"below {value}"
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return low if low.startswith("above") else f"{low} or more"
    return f"{high} or less" if high is not None else ""


def help_text(field: FieldInfo) -> str:
    """Description, allowed values and default, as `--help` shows them."""
    notes = [text for text in (range_text(field),) if text]
    if default := default_text(field):
        notes.append("required" if default == "required" else f"default {default}")
    description = (field.description or "").replace("`", "")
    return description + (f" ({'; '.join(notes)})" if notes else "")


def _metavar(field: FieldInfo) -> str:
    options = _choices(field.annotation)
    if options:
        return "{" + ",".join(options) + "}"
    names = {int: "N", float: "X", bool: "BOOL", Path: "PATH"}
    kinds = (field.annotation, *get_args(field.annotation))
    return next((text for kind, text in names.items() if kind in kinds), "TEXT")


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(option) for option in get_args(annotation)]
    if get_origin(annotation) in (Union, types.UnionType):
        return [choice for option in get_args(annotation) for choice in _choices(option)]
    return []


def _split_lists(cls: type[ServiceSettings], given: dict[str, Any]) -> dict[str, Any]:
    for name, value in given.items():
        annotation = cls.model_fields[name].annotation
        if get_origin(annotation) is tuple:
            parts = [value] if isinstance(value, str) else value
            given[name] = tuple(
                item.strip() for part in parts for item in part.split(",") if item.strip()
            )
    return given


def _read_secret(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{variable}_FILE={path}: {error.strerror}") from None


def _one_line(cls: type[ServiceSettings], error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    field = cls.model_fields.get(name)
    if field is None:
        return first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f"{name.upper()} is not set: {field.description}"
    hidden = is_secret(field) or is_open_ended(field)
    shown = "(secret)" if hidden else _shown(first["input"])
    allowed = range_text(field)
    message = first["msg"].removeprefix("Value error, ")
    return f"{name.upper()}={shown}: {message}" + (f" (allowed: {allowed})" if allowed else "")


def _shown(value: object) -> str:
    text = _CREDENTIALS.sub(r"\1***@", repr(value))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
