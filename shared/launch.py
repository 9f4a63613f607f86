"""How every service's `__main__` starts: environment, settings, logs, open, run."""

import os
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, TypeVar

import structlog

from shared import failpoints, logs
from shared.db import SCHEMAS
from shared.embedded.files import token_keys
from shared.embedded.kafka import running_kafka
from shared.embedded.kraft import running_kraft
from shared.embedded.postgres import running_postgres
from shared.process import CannotStart, Service, main, run
from shared.settings import (
    PREFIX,
    Settings,
    SettingsFault,
    database_ca,
    read_settings,
    read_variable,
    trusting,
)

_log = structlog.get_logger()

S = TypeVar("S", bound=Settings)
_ADDRESS: Final = re.compile(r"(\w://)[^/\s]*@")
KAFKA: Final = f"{PREFIX}KAFKA_BOOTSTRAP"
TOKENS: Final = f"{PREFIX}TOKEN_KEYS"
DATABASE: Final = f"{PREFIX}DATABASE_URL"
_OWN_DATABASES: Final = tuple(f"{PREFIX}{service.upper()}_DATABASE_URL" for service in SCHEMAS)


def var_folder() -> Path:
    """Where the embedded default keeps its files."""
    return Path(read_variable(f"{PREFIX}VAR", "var"))


def is_set(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def has_databases() -> bool:
    """Whether every service that needs a database is told of one."""
    return is_set(DATABASE) or all(map(is_set, _OWN_DATABASES))


def names_a_database() -> bool:
    """Whether any service is told of a database."""
    return any(map(is_set, (DATABASE, *_OWN_DATABASES)))


def point_at_kafka(bootstrap: str, log: str, *, mock: bool) -> None:
    """Let the settings that are read next mean this Kafka; an empty `log` is asked for later."""
    os.environ[KAFKA] = bootstrap
    os.environ[f"{PREFIX}KAFKA_LOG"] = log
    os.environ[f"{PREFIX}KAFKA_EMBEDDED"] = "true" if mock else "false"


def point_at_database(url: str) -> None:
    """Let the settings that are read next mean the embedded PostgreSQL, and the keys beside it."""
    if not is_set(TOKENS):
        os.environ[TOKENS] = " ".join(token_keys(var_folder()))
    os.environ[DATABASE] = url


def adopt_kafka() -> None:
    """Use the Kafka that runs under `var/`, the mock or a real one, unless one is named.

    Raises CannotStart, which names the two variables, where there is none.
    """
    if is_set(KAFKA):
        return
    var = var_folder()
    mock = running_kafka(var)
    real = running_kraft(var) if mock is None else None
    if mock is not None:
        point_at_kafka(mock.bootstrap, mock.log, mock=True)
    elif real is not None:
        point_at_kafka(real.bootstrap, real.log, mock=False)
    else:
        raise CannotStart(
            f"No Kafka and no PostgreSQL: set {KAFKA} and {DATABASE}, or start the embedded "
            f"default with `python -m services` (nothing runs under {var}/)."
        )


def adopt_running() -> None:
    """Use what `var/` says is running in place of what the environment does not name.

    Raises CannotStart where there is no Kafka; a database that is missing is who needs it to say.
    """
    adopt_kafka()
    if not names_a_database() and (found := running_postgres(var_folder())) is not None:
        point_at_database(found.url)


def database_of(service: str) -> str:
    """The service's database, for a verb that reads no other settings; also the embedded one.

    Raises SettingsFault, which names the variable.
    """
    for name in (f"{PREFIX}{service.upper()}_DATABASE_URL", DATABASE):
        if url := read_variable(name):
            return trusting(url, name, database_ca())
    if not names_a_database() and (found := running_postgres(var_folder())) is not None:
        return found.url
    raise SettingsFault(f"{DATABASE}: it is missing, and no embedded default runs")


def say_whether_open(settings: Settings) -> None:
    """Say that nobody is asked for a key, where no keys are configured."""
    if settings.keys_file is None:
        _log.warning("no API keys are asked for", host=settings.host, setting=f"{PREFIX}KEYS_FILE")


def say_settings(settings: Settings) -> None:
    """Say by what the service runs; of a secret, and of a password in an address, only that it is.

    What is not set is left out.
    """
    shown = {
        name: _ADDRESS.sub(r"\1***@", str(value))  # a SecretStr writes itself as stars
        for name, value in settings.model_dump().items()
        if value not in (None, "") and str(value)
    }
    _log.info("settings", service=settings.service, **shown)


def launch(
    model: type[S], open_service: Callable[[S], AbstractAsyncContextManager[Service]]
) -> None:
    """Run one service in a process of its own, to its end."""

    async def start() -> None:
        adopt_running()
        settings = read_settings(model)
        logs.configure(settings.log_level)
        failpoints.arm()
        say_settings(settings)
        say_whether_open(settings)
        async with open_service(settings) as service:
            await run([service], alone=True)

    main(start)
