"""docker-compose.yml at work without an engine: its commands, environments, files and names.

Every name leads to loopback, and all containers share one network, which is the test's own. Kafka
and PostgreSQL are the real ones; the settings that Kafka's image reads are given to Kafka itself.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from shared.embedded.kraft.jars import JARS, fetch
from shared.embedded.postgres import Options, start_postgres
from tests.support.container import USER, Container, Image, Mount
from tests.support.dockerfile import Stage
from tests.support.tools import run_tool, system_tool

Service = dict[str, Any]
SERVICES: Final = {"ingest": 8001, "scoring": 8002, "trigger": 8003, "alerts": 8004}
JOBS: Final = ("migrate", "topics")
_START_S: Final = 90.0


def configured(unset: Path) -> dict[str, Any]:
    """docker-compose.yml as Compose reads it; `unset` is an empty file in place of .env."""
    unset.touch()
    rendered = run_tool(system_tool("docker-compose"), "--env-file", str(unset), "config")
    read: dict[str, Any] = yaml.safe_load(rendered)
    return read


@dataclass
class Composed:
    """The services of docker-compose.yml under one folder; `secrets` as `write_secrets.py` does."""

    folder: Path
    image: Image
    compose: Mapping[str, Any]
    key: str = field(init=False)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        script = "deploy/compose/write_secrets.py"
        said = run_tool(sys.executable, "-I", script, str(self.secrets))
        self.key = said.split()[-1]
        names = " ".join(self.compose["services"])
        self.hosts.write_text(f"127.0.0.1 localhost {names}\n")

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def hosts(self) -> Path:
        return self.folder / "hosts"

    def service(self, name: str) -> Service:
        found: Service = self.compose["services"][name]
        return found

    def container(self, name: str) -> Container:
        """What Compose would make the service's container of.

        Whose image is not ours gets a root of nothing but this machine's programs.
        """
        service = self.service(name)
        assert service["read_only"]
        mounts = [Mount(self.hosts, "/etc/hosts")]
        for secret in service.get("secrets", []):
            source = secret["source"]
            file = Path(self.compose["secrets"][source]["file"]).name
            mounts.append(Mount(self.secrets / file, f"/run/secrets/{source}"))
        mounts += [self._mount(volume) for volume in service.get("volumes", [])]
        temporary = [place.partition(":")[0] for place in service["tmpfs"]]
        image = self.image if service["image"].startswith("earshot:") else self._bare(name)
        log = self.folder / f"{name}.log"
        return Container(image, name, service.get("environment", {}), mounts, temporary, log)

    def _mount(self, volume: str) -> Mount:
        source, target, mode = volume.split(":")
        if mode == "ro":
            assert Path(source).exists(), source
            return Mount(Path(source), target)
        kept = self.folder / f"{source}.volume"
        kept.mkdir(exist_ok=True)
        os.chown(kept, USER, USER)
        return Mount(kept, target, writable=True)

    def _bare(self, name: str) -> Image:
        root = self.folder / name / "image"
        for place in ("tmp", "etc"):
            (root / place).mkdir(parents=True, exist_ok=True)
        return Image(root, Stage([("WORKDIR", "/")]))

    def start_kafka(self) -> None:
        """Apache Kafka by the environment that its image would turn into properties."""
        told: dict[str, str] = self.service("kafka")["environment"]
        properties = {
            key.removeprefix("KAFKA_").lower().replace("_", "."): value
            for key, value in told.items()
            if key.startswith("KAFKA_") and key != "KAFKA_HEAP_OPTS"
        }
        properties["log.dirs"] = str(self.folder / "kafka")
        written = self.folder / "server.properties"
        written.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        java = [fetch(), *told["KAFKA_HEAP_OPTS"].split(), "-cp", f"{JARS}/*"]
        tool = [*java, "kafka.tools.StorageTool", "format"]
        run_tool(*tool, "-t", told["CLUSTER_ID"], "-c", str(written))
        # no image of ours, so with the names alone
        script = f'mount --bind {self.hosts} /etc/hosts && exec "$@"'
        unshared = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "kafka"]
        with (self.folder / "kafka.log").open("ab") as log:
            command = [*unshared, *java, "kafka.Kafka", str(written)]
            self.running["kafka"] = subprocess.Popen(command, stdout=log, stderr=log)

    def start_postgres(self) -> None:
        """PostgreSQL with the password and at the port that the services are told."""
        var = self.folder / "database"
        var.mkdir()
        password = (self.secrets / "database_password").read_text().strip()
        (var / "postgres.json").write_text(json.dumps({"password": password, "port": 5432}))
        assert start_postgres(var, Options(durable=False)).port == 5432

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """A job, to its end."""
        return self.container(name).run(*self.service(name)["command"])

    def start(self, name: str, *program: str) -> None:
        """Start a service; `program` is what its image would start with the command."""
        command = [*program, *self.service(name)["command"]]
        self.running[name] = self.container(name).start(*command)

    def healthy(self, name: str) -> bool:
        """What its health check says, the image's own or Compose's, in the same container."""
        own = self.service(name).get("healthcheck")
        command = own["test"][1:] if own else self.image.stage.healthcheck
        return self.container(name).run(*command).returncode == 0

    def until_healthy(self, *names: str) -> None:
        """Wait until all of them say so."""
        for name in names:
            self.until(name, partial(self.healthy, name))

    def until(self, name: str, there: Callable[[], bool]) -> None:
        """Wait until it is there, for as long as the service lives."""
        deadline = time.monotonic() + _START_S
        while not there():
            ended = self.running[name].poll()
            if ended is not None or time.monotonic() > deadline:
                log = (self.folder / f"{name}.log").read_text(errors="replace")
                raise AssertionError(f"{name} ({ended}):\n{log[-3000:]}")
            time.sleep(0.2)

    def stop(self, name: str) -> tuple[int, float]:
        """SIGTERM, as the engine sends it; the exit code, and the seconds that it took."""
        began, process = time.monotonic(), self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(60), time.monotonic() - began

    def close(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait(10)


async def asked(url: str, key: str, **params: str) -> Any:
    """What a service answers to who has the key."""
    async with httpx.AsyncClient(trust_env=False, timeout=40) as http:
        reply = await http.get(url, params=params, headers={"authorization": f"Bearer {key}"})
    assert reply.status_code == httpx.codes.OK, reply.text
    return reply.json()


async def until_found(url: str, key: str, found: Callable[[Any], Any], **params: str) -> Any:
    """The first of what is found there."""
    async with asyncio.timeout(20):
        while not (there := found(await asked(url, key, **params))):
            await asyncio.sleep(0.1)
        return there
