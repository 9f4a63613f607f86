"""The servers beside a program: a real Kafka and a real PostgreSQL, ended whatever happens."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.embedded.kraft import ToolMissing, start_kraft, stop_kraft
from shared.embedded.system import start_blocking, stop_blocking
from shared.migrating import migrate
from shared.stream import Broker
from shared.stream.kafka import create_topics


@dataclass(frozen=True)
class Servers:
    """Where they are. PostgreSQL writes through (fsync on) and has the schemas that were asked."""

    var: Path
    database_url: str
    broker: Broker


@contextmanager
def database(*schemas: str) -> Iterator[str]:
    """The address of PostgreSQL alone, with these services' schemas."""
    var = Path(tempfile.mkdtemp(prefix="earshot-bench-"))
    var.chmod(0o711)
    try:
        url = start_blocking(var, None).database_url
        for schema in schemas:
            migrate(url, schema)
        yield url
    finally:
        stop_blocking(var)
        shutil.rmtree(var, ignore_errors=True)


@contextmanager
def servers(*schemas: str) -> Iterator[Servers]:
    """Both servers, with all topics and these services' schemas. Ends the program without Java."""
    var = Path(tempfile.mkdtemp(prefix="earshot-bench-"))
    var.chmod(0o711)  # the embedded PostgreSQL runs as another user
    try:
        url, kafka = start_blocking(var, None).database_url, start_kraft(var)
        for schema in schemas:
            migrate(url, schema)
        asyncio.run(create_topics(kafka.bootstrap, replication=1))
        yield Servers(var, url, Broker(kafka.bootstrap, kafka.log))
    except ToolMissing as missing:
        raise SystemExit(f"no real Kafka: {missing}") from None
    finally:
        stop_kraft(var)
        stop_blocking(var)
        shutil.rmtree(var, ignore_errors=True)
