"""Migrations: the tables of each service, brought up to date.

Apart from `shared.db`: Alembic costs each process that only works 7 MB and 55 ms of its start.
"""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from shared.database_url import async_url, connect_arguments

MIGRATIONS: Final = Path(__file__).resolve().parents[1] / "migrations"
_LOCK_NOT_HAD: Final = "55P03"


class TablesBusy(Exception):
    """Somebody held what a migration had to change, for ten seconds; it has changed nothing."""


def migrate(url: str, service: str) -> None:
    """Bring the service's schema up to date; safe to run twice, also at the same time.

    Raises TablesBusy, having changed nothing, where a lock is not had.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("version_locations", str(MIGRATIONS / service / "versions"))
    config.set_main_option("path_separator", "os")
    config.attributes["service"] = service
    config.attributes["url"] = async_url(url)
    config.attributes["connect_args"] = connect_arguments(url)
    try:
        command.upgrade(config, "head")
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_HAD:
            raise
        raise TablesBusy(service) from error
