"""Settings: `EARSHOT_*` environment variables, each also as `…_FILE`.

A service's settings are a subclass in its `settings.py`; only its `app.py` and `__main__.py` read
them. `python -m services settings` prints each with its meaning and default.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from shared.database_url import check_tls
from shared.durations import Duration
from shared.kafka_settings import KafkaAccess
from shared.tls import TlsFilesFault

PREFIX = "EARSHOT_"
STATEMENT = timedelta(seconds=20)
_DATABASE = f"{PREFIX}DATABASE_URL"
_DATABASE_CA = f"{PREFIX}DATABASE_CA_FILE"
_DATABASE_FORM = "postgresql://user:password@host/name"
S = TypeVar("S", bound=BaseSettings)


class SettingsFault(Exception):
    """The environment cannot be used; the text names each variable and what is accepted."""


class _FileSource(EnvSettingsSource):
    """Reads the value of `X` from the file that `X_FILE` names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        name = f"{PREFIX}{field_name}_file".upper()
        if name.removeprefix(PREFIX).lower() in self.settings_cls.model_fields:
            return None, field_name, False
        return _read_file(name), field_name, False


class _Environment(BaseSettings):
    """Reads `EARSHOT_*`, and the files that `EARSHOT_*_FILE` name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FileSource(settings_cls)


class KafkaSettings(_Environment, KafkaAccess):
    """What a verb needs that talks to Kafka alone."""


class Settings(_Environment, KafkaAccess):
    """What every service needs."""

    service: ClassVar[str] = ""

    database_url: SecretStr = Field(
        SecretStr(""), description="PostgreSQL 18 or newer, postgresql://user:password@host/name"
    )
    database_ca_file: Path | None = Field(
        None,
        description="who signs PostgreSQL's certificate, PEM: TLS it is then, name checked; "
        "read again for each connection",
    )
    database_statement: Duration = Field(
        STATEMENT,
        ge=timedelta(seconds=1),
        le=timedelta(minutes=10),
        description="after which a statement is given up, and tried again by consumers",
    )
    programme: Path = Field(Path("programme"), description="folder of the five YAML files")
    var: Path = Field(Path("var"), description="where the embedded default keeps its files")
    host: str = Field("127.0.0.1", description="address to listen on; beyond loopback needs keys")
    keys_file: Path | None = Field(None, description="API keys: id, sha256, scopes, expires")
    docs: bool | None = Field(
        None, description="whether /docs and /openapi.json answer; default: where no keys are asked"
    )
    trusted_proxies: str = Field(
        "",
        description="networks of proxies whose X-Forwarded-For is believed, such as "
        "10.0.0.0/8, separated by commas; default: nobody's",
    )
    rate_per_key: int = Field(
        5_000, ge=0, description="requests a second of one API key; 10 times that at once; 0: any"
    )
    rate_per_address: int = Field(
        100,
        ge=0,
        description="requests a second without a key of one address; 10 times that at once; 0: any",
    )
    log_level: str = Field("info", description="debug, info, warning or error")
    traces_url: str = Field(
        "",
        pattern=r"^(https?://[!-~]+)?$",
        description="collector of traces, OTLP over HTTP, such as http://collector:4318; "
        "default: no traces",
    )
    traces_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="share of events and requests that come without a traceparent and are "
        "followed; each record of a trace is a line in the log",
    )

    @model_validator(mode="after")
    def _closed_door(self) -> Self:
        if self.keys_file is None and self.host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError(
                f"EARSHOT_HOST={self.host} is reached from outside, so EARSHOT_KEYS_FILE is needed"
            )
        return self

    def database_for(self, service: str) -> str:
        """The service's own database where one is named, else everybody's. Raises SettingsFault."""
        own = f"{PREFIX}{service.upper()}_DATABASE_URL"
        url = read_variable(own)
        name, url = (own, url) if url else (_DATABASE, self.database_url.get_secret_value())
        if not url:
            raise SettingsFault(f"{name}: it is missing; accepted: {_DATABASE_FORM}")
        return trusting(url, name, self.database_ca_file)


def database_ca() -> Path | None:
    """The setting by name, for verbs that read no others. Raises SettingsFault."""
    found = read_variable(_DATABASE_CA)
    return Path(found) if found else None


def trusting(url: str, name: str, ca: Path | None) -> str:
    """The address of `name`, with the CA that its server is to prove itself by, if any is named.

    Raises SettingsFault where it is none, the two contradict, or the files cannot be used.
    """
    if not url.startswith(("postgresql://", "postgresql+", "postgres://")):
        raise SettingsFault(f"{name}: it is no PostgreSQL address; accepted: {_DATABASE_FORM}")
    try:
        return check_tls(url, ca)
    except TlsFilesFault as error:
        raise SettingsFault(f"{_DATABASE_CA if ca else name}: {error}") from None
    except ValueError as error:
        raise SettingsFault(f"{name}: {error}") from None


def read_variable(name: str, default: str = "") -> str:
    """The variable's value, or that of the file that `<name>_FILE` names. Raises SettingsFault."""
    return os.environ.get(name) or _read_file(f"{name}_FILE") or default


def _read_file(name: str) -> str | None:
    path = os.environ.get(name)
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsFault(f"{name}: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsFault(f"{name}: {path} is not UTF-8") from error


def read_settings(model: type[S]) -> S:
    """Read the environment. Raises SettingsFault, which names each variable that is at fault."""
    try:
        return model()
    except SettingsError as error:  # pydantic wraps what a source raises
        raise (error.__cause__ or error) from None
    except ValidationError as error:
        raise SettingsFault("\n".join(_sentence(fault) for fault in error.errors())) from None


def _sentence(fault: ErrorDetails) -> str:
    if not fault["loc"]:
        return fault["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg']}"
