"""The nodes of one `var`: started together, stopped together, found again after a kill -9."""

import os
import signal
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from json import dumps
from pathlib import Path
from random import randrange
from typing import Final
from uuid import uuid4

from shared.embedded.files import free_port, hold_lock, prepare_folder, read_object, write_whole
from shared.embedded.kafka import answers
from shared.embedded.kraft.jars import fetch
from shared.embedded.kraft.node import Node, properties_of, start_node
from shared.embedded.processes import StartFailed, end, is_alive, read_tail

_PATIENCE_S: Final = 60.0
_PORTS: Final = (20_000, 32_000)


@dataclass(frozen=True)
class Options:
    """`nodes` None: as many as there are, one to begin with.

    `properties` are added to ours, or replace them, in every `server.properties`. `doors` of the
    first node are further listeners on loopback, protocol: port, such as SASL_SSL: 9093.
    """

    nodes: int | None = 1
    properties: Mapping[str, str] = field(default_factory=dict)
    doors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Kraft:
    """The cluster of one `var`; `log` is its cluster id."""

    log: str
    nodes: tuple[Node, ...]

    @property
    def bootstrap(self) -> str:
        return ",".join(node.address for node in self.nodes)


ONE_NODE: Final = Options()


def start_kraft(var: Path, options: Options = ONE_NODE) -> Kraft:
    """Return the cluster of `var`, each node ready: what runs is adopted, the rest is started.

    A cluster keeps its id, its ports and the number of its nodes; all is on loopback. Raises
    StartFailed, and ToolMissing where Java 17 or Maven is not on this machine.
    """
    folder = prepare_folder(var) / "kafka"
    folder.mkdir(exist_ok=True)
    with hold_lock(folder / "kafka.lock", patience=_PATIENCE_S):
        java = fetch()
        cluster = _read(folder) or _draw(options.nodes or 1)
        _write(folder, cluster)
        if options.nodes not in (None, len(cluster.nodes)):
            raise StartFailed(
                f"the Kafka under {folder} has {len(cluster.nodes)} nodes, not {options.nodes}: "
                "ask for as many, or stop it and remove that folder with all it holds"
            )
        voters = {node.number: node.controller for node in cluster.nodes}
        for at, node in enumerate(cluster.nodes):
            doors = options.doors if at == 0 else {}
            properties = {**properties_of(node, voters, folder, doors), **options.properties}
            started = start_node(java, folder, cluster.log, node, properties)
            nodes = (*cluster.nodes[:at], started, *cluster.nodes[at + 1 :])
            cluster = replace(cluster, nodes=nodes)
            _write(folder, cluster)  # should the next not start, this one can be stopped
        _wait_ready(folder, cluster.nodes)
        return cluster


def running_kraft(var: Path) -> Kraft | None:
    """The cluster under `var` if all its nodes run, or None."""
    folder = var.resolve() / "kafka"
    cluster = _read(folder)
    if cluster is None or not all(node.runs(folder) for node in cluster.nodes):
        return None
    return cluster


def stop_kraft(var: Path) -> bool:
    """End every node; what they hold stays for the next start. Say whether any ran."""
    folder = var.resolve() / "kafka"
    cluster = _read(folder)
    running = [node for node in cluster.nodes if node.runs(folder)] if cluster else []
    for node in running:  # all at once: a node alone waits for a quorum that lets it go
        with suppress(ProcessLookupError, PermissionError):  # `end` says so
            os.kill(node.pid, signal.SIGTERM)
    for node in running:
        end(node.pid, [(signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)])
    return bool(running)


def _draw(number: int) -> Kraft:
    """A new cluster, on ports that are free.

    They are below those that clients get: one that dials a dead node could otherwise be given the
    node's own port. Drawn by chance, so that two that are drawn at once do not meet.
    """
    ports: list[int] = []
    while len(ports) < 2 * number:
        port = randrange(*_PORTS)  # noqa: S311 - a port # nosec B311
        if port not in ports and free_port(port) == port:
            ports.append(port)
    nodes = [
        Node(number=n + 1, port=ports[2 * n], controller=ports[2 * n + 1]) for n in range(number)
    ]
    return Kraft(log=_draw_id(), nodes=tuple(nodes))


def _draw_id() -> str:
    """As Kafka's own tool draws it: a UUID in base64 that no command takes for an option."""
    while (drawn := urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return drawn


def _read(folder: Path) -> Kraft | None:
    found = read_object(folder / "cluster.json")
    if found is None:
        return None
    return Kraft(log=found["log"], nodes=tuple(Node(**node) for node in found["nodes"]))


def _write(folder: Path, cluster: Kraft) -> None:
    write_whole(folder / "cluster.json", dumps(asdict(cluster)))


def _wait_ready(folder: Path, nodes: Sequence[Node]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    for node in nodes:
        # another's server may answer on a port of ours that was free for a while
        while not (node.listens and answers(node.address)):
            if not is_alive(node.pid) or time.monotonic() > deadline:
                log = node.settings(folder).with_name("kafka.log")
                raise StartFailed(
                    f"Kafka's node {node.number} (process {node.pid}) does not answer on "
                    f"{node.address}; the end of {log}:\n{read_tail(log)}"
                )
            time.sleep(0.05)
