import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.embedded.files import Locked, hold_lock, prepare_folder, read_object, write_whole
from shared.embedded.librdkafka import find_library
from shared.embedded.processes import (
    Launch,
    StartFailed,
    end,
    give_away,
    is_alive,
    is_ours,
    read_tail,
    spawn,
)

PROGRAM = "shared.embedded.broker"
# length, api key 18, version 0, correlation id, no client id
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
PATIENCE = 5.0  # seconds; it takes 0.1 on an idle machine
ATTEMPTS = 4  # librdkafka's mock once hung for ever while it made its topics


class Silent(StartFailed):
    """The broker's process does not become ready."""


@dataclass(frozen=True, kw_only=True)
class Kafka:
    bootstrap: str
    log: str  # names this life of the broker: what it held dies with it, offsets with the name
    pid: int
    adopted: bool


def start_kafka(var: Path, topics: Mapping[str, int]) -> Kafka:
    """Return the broker of `var` with these topics (name: partitions), adopted or started.

    It keeps 5 MiB a partition in memory and evicts silently: for trying out, tests and demos.
    An adopted broker gets the topics that it lacks. Raises StartFailed.
    """
    var = prepare_folder(var)
    found = _find(var)
    if found is not None:
        with suppress(Silent):  # it fell silent after it had answered: replaced like a dead one
            return _describe(_adopt(var, found, topics), adopted=True)
    _end_silent(var)
    _write_wanted(var, topics)
    (var / "kafka.lock").touch()
    give_away(var / "kafka.lock")
    return _describe(_spawn_ready(var, topics), adopted=False)


def _adopt(var: Path, found: Mapping[str, Any], topics: Mapping[str, int]) -> dict[str, Any]:
    pid = int(found["pid"])
    _write_wanted(var, {**topics, **found["topics"]})
    if not topics.keys() <= found["topics"].keys():
        _tell(pid)
    return _wait_ready(var, pid, topics)


def _spawn_ready(var: Path, topics: Mapping[str, int]) -> dict[str, Any]:
    attempt = 0
    while True:
        attempt += 1
        pid = spawn(_build_launch(var), var / "kafka.log")
        try:
            return _wait_ready(var, pid, topics)
        except Silent:
            if attempt == ATTEMPTS or not is_alive(pid):
                raise
            end(pid, [(signal.SIGKILL, 5.0)])


def running_kafka(var: Path) -> Kafka | None:
    """Return the broker that runs under `var` and takes connections, or None."""
    found = _find(var.resolve())
    return None if found is None else _describe(found, adopted=True)


def stop_kafka(var: Path) -> bool:
    """End the broker of `var`, all it holds with it; say whether one ran."""
    var = var.resolve()
    state = read_object(var / "kafka.json")
    if state is None or not _is_broker(state, var):
        return False
    end(int(state["pid"]), [(signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)])
    (var / "kafka.json").unlink(missing_ok=True)
    return True


def _find(var: Path) -> dict[str, Any] | None:
    state = read_object(var / "kafka.json")
    if state is None or not _is_broker(state, var):
        return None
    # Looked at again afterwards: one that was just killed may still have answered.
    return state if answers(state["bootstrap"]) and _is_broker(state, var) else None


def _tell(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGHUP)
    except PermissionError as fault:
        raise StartFailed(
            f"the embedded broker (process {pid}) is another user's: stop it as that user"
        ) from fault


def _end_silent(var: Path) -> None:
    state = read_object(var / "kafka.json")
    if state is not None and _is_broker(state, var):
        end(int(state["pid"]), [(signal.SIGKILL, 5.0)])
    (var / "kafka.json").unlink(missing_ok=True)


def _is_broker(state: Mapping[str, Any], var: Path) -> bool:
    return is_ours(int(state["pid"]), PROGRAM, var, float(state["started"]))


def answers(bootstrap: str) -> bool:
    """Whether it answers: a stopped process takes connections, but says nothing."""
    host, port = bootstrap.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), timeout=1) as broker:
            broker.sendall(API_VERSIONS)
            return bool(broker.recv(4))
    except OSError:
        return False


def _describe(state: Mapping[str, Any], *, adopted: bool) -> Kafka:
    return Kafka(
        bootstrap=state["bootstrap"], log=state["log"], pid=int(state["pid"]), adopted=adopted
    )


def _write_wanted(var: Path, topics: Mapping[str, int]) -> None:
    write_whole(var / "kafka.topics.json", json.dumps(dict(topics)))


def _wait_ready(var: Path, pid: int, topics: Mapping[str, int]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        state = _find(var)
        if state is None and not is_alive(pid) and not _is_locked(var):
            break
        if state is not None and _has(state, topics):
            return state
        time.sleep(0.01)
    raise Silent(
        f"the embedded broker (process {pid}) does not start; the end of {var / 'kafka.log'}:\n"
        + read_tail(var / "kafka.log")
    )


def _has(state: Mapping[str, Any], topics: Mapping[str, int]) -> bool:
    """Say whether the broker has these topics; raise StartFailed if it never will."""
    faults = {name: state["refused"][name] for name in topics if name in state["refused"]}
    for name, partitions in topics.items():
        if state["topics"].get(name, partitions) != partitions:
            faults[name] = f"has {state['topics'][name]} partitions, not {partitions}"
    if faults:
        raise StartFailed(f"the embedded broker cannot make these topics, stop it first: {faults}")
    return all(name in state["topics"] for name in topics)


def _is_locked(var: Path) -> bool:
    """Say whether a broker lives that has not told where it is yet: an earlier start's."""
    try:
        with hold_lock(var / "kafka.lock"):
            return False
    except Locked:
        return True


def _build_launch(var: Path) -> Launch:
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    # -S: site-packages are not needed, and not looking at them halves the start.
    return Launch(
        command=[sys.executable, "-S", "-m", PROGRAM, str(find_library()), str(var)],
        environment={**os.environ, "PYTHONPATH": path},
    )
