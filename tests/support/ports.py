"""Ports for servers that tests start."""

import os
import socket
from itertools import count
from typing import Final

# Below those that the system gives to clients (from 32,768 on): a port that was free a moment ago
# would be somebody's client by the time its server starts. Each worker has its own.
_FIRST: Final = 18_000
_EACH: Final = 1_500
_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw8").removeprefix("gw"))
_turn: Final = count(os.getpid())


def free_ports(number: int) -> list[int]:
    """So many ports of loopback that nobody listens on."""
    found: list[int] = []
    while len(found) < number:
        port = _FIRST + _WORKER % 9 * _EACH + next(_turn) % _EACH
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    return found
