"""End what runs under `var/`: the services first, so that they drain, then the servers.

What PostgreSQL and the Kafka of `make kafka` hold stays for their next start.
"""

import argparse
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from shared.embedded.files import Locked, hold_lock
from shared.embedded.kafka import running_kafka
from shared.embedded.kraft import stop_kraft
from shared.embedded.system import stop_blocking
from shared.launch import var_folder

_PATIENCE_S: Final = 20.0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services stop", description=__doc__)
    parser.add_argument("--force", action="store_true", help="also drop what was not consumed")
    asked = parser.parse_args(arguments)
    var = var_folder()
    ran = _end_services(var / "services.lock") if var.is_dir() else False
    if ran and not asked.force and running_kafka(var) is not None:
        print(
            "the services have stopped, but the embedded broker holds records that nobody has "
            "consumed, so it stays up: `make run` takes them, "
            "`python -m services stop --force` drops them"
        )
        return 1
    ran = stop_blocking(var) or ran
    ran = stop_kraft(var) or ran
    print("stopped" if ran else f"nothing runs under {var}/")
    return 0


def _end_services(path: Path) -> bool:
    pid = _holder(path)
    if pid == 0:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if _holder(path) != pid:
            return True
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    return True


def _holder(path: Path) -> int:
    try:
        with hold_lock(path):
            return 0
    except Locked as held:
        return held.pid
