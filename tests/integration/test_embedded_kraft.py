"""`python -m services kafka`: what it lacks is named; three nodes start, survive and stop."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from services.__main__ import main
from shared.embedded.kraft import Kraft, jars, running_kraft, stop_kraft
from shared.embedded.processes import is_alive
from shared.events import Topic
from shared.launch import adopt_kafka
from shared.stream import Broker, Outgoing
from shared.stream.kafka import open_producer, read_all

BOOTSTRAP = "EARSHOT_KAFKA_BOOTSTRAP"


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of this test's own, and an environment that names no Kafka."""
    monkeypatch.setenv("EARSHOT_VAR", str(tmp_path / "var"))
    for name in (BOOTSTRAP, "EARSHOT_KAFKA_LOG", "EARSHOT_KAFKA_EMBEDDED"):
        monkeypatch.setenv(name, "")  # so that what is set meanwhile is taken back
    yield tmp_path / "var"
    stop_kraft(tmp_path / "var")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the path, empty; no jars were fetched."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(jars, "JARS", tmp_path / "kafka" / "lib")
    return folder


def put_java(folder: Path, version: str) -> None:
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    java.chmod(0o755)


@pytest.mark.parametrize(
    ("java", "named"),
    [
        (None, "`java` is not on this machine"),
        ("11.0.2", "Java 17 or newer"),
        ("21.0.1", "`mvn` is not on this machine"),
    ],
)
def test_what_kafka_needs_and_is_not_there_is_named_and_exits_3(
    var: Path, programs: Path, java: str | None, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if java is not None:
        put_java(programs, java)

    assert main(["kafka"]) == 3
    assert named in capsys.readouterr().err


def test_stopping_what_does_not_run_is_no_error(
    var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kafka", "--stop"]) == 0
    assert "no Kafka runs" in capsys.readouterr().out


def test_where_no_kafka_is_named_nor_runs_a_verb_says_how_to_get_one(
    var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["topics"]) == 2
    assert BOOTSTRAP in capsys.readouterr().err


async def send(kraft: Kraft, word: bytes) -> None:
    async with open_producer(Broker(kraft.bootstrap, kraft.log)) as producer:
        await producer.send([Outgoing(Topic.TRANSACTIONS, b"k", word)])


async def words(kraft: Kraft) -> list[bytes | None]:
    return [record.value for record in await read_all(kraft.bootstrap, Topic.TRANSACTIONS)]


async def copies(kraft: Kraft) -> set[int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kraft.bootstrap)
    await admin.start()
    topics = await admin.describe_topics([str(topic) for topic in Topic])
    await admin.close()
    return {len(part["replicas"]) for topic in topics for part in topic["partitions"]}


def started(var: Path, *arguments: str) -> Kraft:
    assert main(["kafka", *arguments]) == 0
    found = running_kraft(var)
    assert found is not None
    return found


@pytest.mark.real_kafka
def test_three_nodes_start_survive_a_kill_and_keep_what_they_took(
    var: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = started(var, "--nodes", "3")
    assert f"export {BOOTSTRAP}={first.bootstrap}" in capsys.readouterr().out
    assert asyncio.run(copies(first)) == {3}
    asyncio.run(send(first, b"by three"))

    os.kill(first.nodes[0].pid, signal.SIGKILL)
    asyncio.run(send(first, b"by two"))
    again = started(var)
    assert [node.port for node in again.nodes] == [node.port for node in first.nodes]
    assert again.nodes[1:] == first.nodes[1:]
    assert main(["kafka", "--nodes", "1"]) == 1
    assert "has 3 nodes" in capsys.readouterr().err

    adopt_kafka()
    assert os.environ[BOOTSTRAP] == again.bootstrap
    assert main(["topics", "--check"]) == 0
    assert main(["stop"]) == 0
    assert not any(is_alive(node.pid) for node in again.nodes)

    with socket.create_server(("127.0.0.1", again.nodes[0].port)):
        assert main(["kafka"]) == 1
    assert "is taken" in capsys.readouterr().err
    assert asyncio.run(words(started(var))) == [b"by three", b"by two"]
