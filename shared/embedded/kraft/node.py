"""One node: its properties, its folder, its process."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psutil

from shared.embedded.files import free_port, write_whole
from shared.embedded.kraft.jars import JARS, run_tool
from shared.embedded.processes import Launch, StartFailed, is_ours, spawn

_MAIN: Final = "kafka.Kafka"
_FORMAT_S: Final = 60.0
_FREED_S: Final = 3.0
# Small: several nodes, PostgreSQL and the services share one machine.
_JVM: Final = (
    "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
    "-XX:MaxMetaspaceSize=160m", "-XX:+ExitOnOutOfMemoryError",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)  # fmt: skip
_SMALL: Final = {
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "2097152",
    "log.index.size.max.bytes": "1048576",
    "log.segment.bytes": "16777216",
    # a node that was killed is let in again once its old session has ended
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
}


@dataclass(frozen=True, kw_only=True)
class Node:
    """One broker, which is a controller as well; `pid` is 0 until it was started."""

    number: int
    port: int
    controller: int
    pid: int = 0
    started: float = 0.0  # epoch seconds

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def listens(self) -> bool:
        """Whether it is our process that has the port."""
        try:
            found = psutil.Process(self.pid).net_connections("tcp")
        except psutil.NoSuchProcess:
            return False
        return any(one.laddr.port == self.port for one in found if one.status == psutil.CONN_LISTEN)

    def runs(self, folder: Path) -> bool:
        """Whether the process that we left there still lives."""
        return self.pid > 0 and is_ours(self.pid, _MAIN, self.settings(folder), self.started)

    def settings(self, folder: Path) -> Path:
        return folder / str(self.number) / "server.properties"


def start_node(
    java: str, folder: Path, cluster: str, node: Node, properties: Mapping[str, str]
) -> Node:
    """The node, started where it does not run. Raises StartFailed."""
    if node.runs(folder):
        return node
    for port in (node.port, node.controller):
        if not _becomes_free(port):
            raise StartFailed(
                f"port {port} of Kafka's node {node.number} is taken: stop what listens there, or "
                f"remove {folder} with all it holds for a Kafka on other ports"
            )
    home = folder / str(node.number)
    home.mkdir(exist_ok=True)
    settings = node.settings(folder)
    write_whole(settings, "".join(f"{name}={value}\n" for name, value in properties.items()))
    path = f"{JARS}/*"
    if not (home / "data" / "meta.properties").exists():
        command = [java, "-cp", path, "kafka.tools.StorageTool", "format"]
        run_tool([*command, "-t", cluster, "-c", str(settings)], _FORMAT_S)
    launch = Launch(
        command=[java, *_JVM, "-cp", path, _MAIN, str(settings)], environment=dict(os.environ)
    )
    pid = spawn(launch, home / "kafka.log")
    return replace(node, pid=pid, started=psutil.Process(pid).create_time())


def _becomes_free(port: int) -> bool:
    """A process that was killed listens until the last of its threads has ended."""
    deadline = time.monotonic() + _FREED_S
    while free_port(port) != port:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def properties_of(
    node: Node, voters: Mapping[int, int], folder: Path, doors: Mapping[str, int]
) -> dict[str, str]:
    """Everything in `server.properties`; `voters` are number: controller's port of all nodes.

    `doors` are further listeners, protocol: port.
    """
    listeners = {"PLAINTEXT": node.port, **doors}
    open_to = ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items())
    copies = str(len(voters))
    in_sync = str(max(1, len(voters) - 1))
    replicated = {
        f"{log}.{name}": value
        for log in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        for name, value in (("replication.factor", copies), ("num.partitions", "1"))
    }
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.number),
        "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{p}" for n, p in voters.items()),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": f"{open_to},CONTROLLER://127.0.0.1:{node.controller}",
        "advertised.listeners": open_to,
        "listener.security.protocol.map": ",".join(
            ["CONTROLLER:PLAINTEXT", *(f"{name}:{name}" for name in listeners)]
        ),
        "log.dirs": str(folder / str(node.number) / "data"),
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.min.isr": in_sync,
        "group.initial.rebalance.delay.ms": "0",
        **replicated,
        **_SMALL,
    }
