"""Bring the schemas of the services up to date; safe to run twice, also at the same time."""

import argparse
import os
import sys
from collections.abc import Sequence

from shared.db import SCHEMAS, TablesBusy, migrate
from shared.launch import DATABASE, adopt_running
from shared.process import CannotStart
from shared.settings import PREFIX, SettingsFault, database_ca, read_variable, trusting
from shared.tls import tls_fault


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services migrate", description=__doc__)
    parser.add_argument("service", nargs="*", choices=[[], *SCHEMAS], help="default: all")
    chosen = parser.parse_args(arguments).service or SCHEMAS
    for service in chosen:
        url = _url(service)
        if not url:
            sys.stderr.write(f"Set {DATABASE} (or {DATABASE}_FILE).\n")
            return 2
        try:
            migrate(trusting(url, DATABASE, database_ca()), service)
        except SettingsFault as fault:
            sys.stderr.write(f"{fault}\n")
            return 2
        except TablesBusy:
            sys.stderr.write(f"{service}: its tables are in use, nothing was changed; try again.\n")
            return 1
        except OSError as error:
            said = tls_fault(error) or error
            sys.stderr.write(f"{service}: the database cannot be used: {said}\n")
            return 1
        print(f"{service}: up to date")
    return 0


def _url(service: str) -> str:
    for name in (f"{PREFIX}{service.upper()}_DATABASE_URL", DATABASE):
        if value := read_variable(name):
            return value
    try:
        adopt_running()
    except CannotStart:
        return ""
    return os.environ.get(DATABASE, "")
