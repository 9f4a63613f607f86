"""Bring the schemas of the services up to date; safe to run twice, also at the same time."""

import argparse
import sys
from collections.abc import Sequence

from shared.db import SCHEMAS
from shared.launch import database_of
from shared.migrating import TablesBusy, migrate
from shared.settings import SettingsFault
from shared.tls import tls_fault


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services migrate", description=__doc__)
    parser.add_argument("service", nargs="*", choices=[[], *SCHEMAS], help="default: all")
    chosen = parser.parse_args(arguments).service or SCHEMAS
    for service in chosen:
        try:
            migrate(database_of(service), service)
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
