"""Servers and workers live and die together; how a process ends."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence

import httpx
import pytest

from shared import process
from shared.process import CannotStart, Service, listen, main, run
from shared.settings import SettingsFault
from shared.stream.pipeline import Worker


async def web(scope: object, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]


def service(*workers: Worker) -> Service:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Service("scoring", web, "127.0.0.1", port, workers)


async def test_a_service_serves_and_its_workers_drain_before_it_ends() -> None:
    ended: list[str] = []

    async def drains(stop: asyncio.Event) -> None:
        await stop.wait()
        await asyncio.sleep(0.05)
        ended.append("drained")

    async def ask() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(100):
                try:
                    reply = await client.get(f"http://127.0.0.1:{ours.port}/")
                except httpx.TransportError:
                    await asyncio.sleep(0.01)
                else:
                    ended.append(str(reply.status_code))
                    break
        os.kill(os.getpid(), signal.SIGTERM)

    ours = service(drains)
    await asyncio.wait_for(run([ours], on_ready=ask), 5)

    assert ended == ["204", "drained"]


@pytest.mark.parametrize("endless", [False, True])
async def test_what_waits_is_drained_while_the_workers_still_work(
    endless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(process, "_DRAIN_S", 0.1)

    async def works(stop: asyncio.Event) -> None:
        await stop.wait()
        said.append("stopped")

    async def drain() -> None:
        said.append("draining")
        await asyncio.sleep(60 if endless else 0)

    async def leave() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    await asyncio.wait_for(run([service(works)], on_ready=leave, drain=drain), 5)

    assert said == ["draining", "stopped"]


async def test_a_worker_that_dies_ends_everything() -> None:
    async def dies(stop: asyncio.Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as group:
        await asyncio.wait_for(run([service(dies)]), 5)

    assert group.group_contains(ZeroDivisionError)


async def test_a_worker_that_ends_by_itself_is_a_fault() -> None:
    async def ends(stop: asyncio.Event) -> None:
        return

    with pytest.raises(ExceptionGroup) as group:
        await asyncio.wait_for(run([service(ends)]), 5)

    assert group.group_contains(RuntimeError, match="worker ends ended by itself")


async def test_what_does_not_drain_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_DRAIN_S", 0.1)
    stop = asyncio.Event()

    async def hangs(_: asyncio.Event) -> None:
        stop.set()
        await asyncio.sleep(60)

    await asyncio.wait_for(run([service(hangs)], stop=stop), 5)


HANGS = """
import asyncio, time
from shared import process
from shared.process import Service, run

async def hangs(stop):
    await stop.wait()
    await asyncio.to_thread(time.sleep, 60)  # no cancellation ends it

async def start():
    stop = asyncio.Event()
    stop.set()
    await run([Service("scoring", None, "127.0.0.1", 0, (hangs,))], stop=stop, alone=True)

process._DRAIN_S, process._END_S = 0.1, 0.5
process.main(start)
"""


@pytest.mark.thorough
async def test_a_process_ends_in_time_whatever_hangs() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", HANGS, stdout=PIPE)
    async with asyncio.timeout(20):
        said, _ = await process.communicate()

    assert b"ended as it is" in said
    assert process.returncode == 0


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(CannotStart, match=f"port {port}.*EARSHOT_SCORING_PORT"):
            listen("127.0.0.1", port, "scoring")


@pytest.mark.parametrize(
    ("faults", "code", "said"),
    [
        ([], 0, ""),
        ([CannotStart("port 8001")], 2, "port 8001\n"),
        (
            [ExceptionGroup("inner", [SettingsFault("EARSHOT_X"), CannotStart("y")])],
            2,
            "EARSHOT_X\ny\n",
        ),
        ([ZeroDivisionError()], 1, ""),
        ([CannotStart("port 8001"), ZeroDivisionError()], 1, "port 8001\n"),
    ],
)
def test_the_exit_code_says_whether_it_could_start(
    faults: Sequence[Exception], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def start() -> None:
        if faults:
            raise ExceptionGroup("outer", faults)

    with pytest.raises(SystemExit) as left:
        main(start)

    assert left.value.code == code
    assert capsys.readouterr().err == said
