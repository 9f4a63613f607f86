"""The servers beside a program: a real Kafka and a real PostgreSQL, ended whatever happens."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Iterable, Iterator
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
    with _folder() as var:
        yield _migrated(var, schemas)


@contextmanager
def servers(*schemas: str) -> Iterator[Servers]:
    """Both servers, with all topics and these services' schemas. Ends the program without Java."""
    with _folder() as var:
        try:
            url, kafka = _migrated(var, schemas), start_kraft(var)
        except ToolMissing as missing:
            raise SystemExit(f"no real Kafka: {missing}") from None
        asyncio.run(create_topics(kafka.bootstrap, replication=1))
        yield Servers(var, url, Broker(kafka.bootstrap, kafka.log))


@contextmanager
def _folder() -> Iterator[Path]:
    """Where they live; what runs there is ended with the program, also by SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    var = Path(tempfile.mkdtemp(prefix="earshot-bench-"))
    var.chmod(0o711)  # the embedded PostgreSQL runs as another user
    try:
        yield var
    finally:
        stop_kraft(var)
        stop_blocking(var)
        shutil.rmtree(var, ignore_errors=True)


def _migrated(var: Path, schemas: Iterable[str]) -> str:
    url = start_blocking(var, None).database_url
    for schema in schemas:
        migrate(url, schema)
    return url
