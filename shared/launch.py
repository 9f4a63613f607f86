"""How every service's `__main__` starts: environment, settings, logs, open, run."""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, TypeVar

import structlog

from shared import failpoints, logs
from shared.db import SCHEMAS
from shared.embedded.files import token_keys
from shared.embedded.system import Embedded, running
from shared.process import CannotStart, Service, main, run
from shared.settings import PREFIX, Settings, read_settings, read_variable

_log = structlog.get_logger()

S = TypeVar("S", bound=Settings)
KAFKA: Final = f"{PREFIX}KAFKA_BOOTSTRAP"
TOKENS: Final = f"{PREFIX}TOKEN_KEYS"
DATABASE: Final = f"{PREFIX}DATABASE_URL"


def var_folder() -> Path:
    """Where the embedded default keeps its files."""
    return Path(read_variable(f"{PREFIX}VAR", "var"))


def is_set(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def has_databases() -> bool:
    """Whether every service that needs a database is told of one."""
    own = (f"{PREFIX}{service.upper()}_DATABASE_URL" for service in SCHEMAS)
    return is_set(DATABASE) or all(map(is_set, own))


def point_at(embedded: Embedded) -> None:
    """Let the settings that are read next mean the embedded servers, and the keys beside them."""
    if not is_set(TOKENS):
        os.environ[TOKENS] = " ".join(token_keys(var_folder()))
    os.environ[KAFKA] = embedded.kafka_bootstrap
    os.environ[f"{PREFIX}KAFKA_LOG"] = embedded.kafka_log
    os.environ[f"{PREFIX}KAFKA_EMBEDDED"] = "true"
    os.environ[DATABASE] = embedded.database_url


def adopt_running() -> None:
    """Use what `var/` says is running, unless the environment names servers.

    Raises CannotStart, which names the two variables, where there is neither.
    """
    if is_set(KAFKA):
        return
    found = running(var_folder())
    if found is None:
        raise CannotStart(
            f"No Kafka and no PostgreSQL: set {KAFKA} and {DATABASE}, or start the embedded "
            f"default with `python -m services` (nothing runs under {var_folder()}/)."
        )
    point_at(found)


def say_whether_open(settings: Settings) -> None:
    """Say that nobody is asked for a key, where no keys are configured."""
    if settings.keys_file is None:
        _log.warning("no API keys are asked for", host=settings.host, setting=f"{PREFIX}KEYS_FILE")


def launch(
    model: type[S], open_service: Callable[[S], AbstractAsyncContextManager[Service]]
) -> None:
    """Run one service in a process of its own, to its end."""

    async def start() -> None:
        adopt_running()
        settings = read_settings(model)
        logs.configure(settings.log_level)
        failpoints.arm()
        say_whether_open(settings)
        async with open_service(settings) as service:
            await run([service])

    main(start)
