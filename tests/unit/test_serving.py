"""A server that stops answers what was sent to it; on uvloop, as services run."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop

from shared import serving
from shared.process import listen
from shared.serving import build_server

ASK = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
TAKES_S = 0.2
QUICK_S = 0.3


async def web(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(TAKES_S if scope["path"] == "/slow" else 0)
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def stopping(
    before: Callable[[int], Awaitable[None]],
) -> AsyncIterator[int]:
    """The port of a server that is told to stop once `before` has been awaited."""
    with listen("127.0.0.1", 0, "test") as listener:
        port = listener.getsockname()[1]
        server = build_server(web)
        serving_ = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.001)
        await before(port)
        server.should_exit = True
        yield port
        await asyncio.wait_for(serving_, 5)


def plug(port: int, ask: bytes = b"") -> socket.socket:
    """A client that blocks: what it does, the server's loop has not seen yet."""
    client = socket.create_connection(("127.0.0.1", port), timeout=5)
    if ask:
        client.sendall(ask)
    return client


async def reply(client: socket.socket) -> str:
    return (await asyncio.to_thread(client.recv, 4096)).decode()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "SILENT_S", QUICK_S)


def test_who_is_connected_and_not_yet_accepted_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clients: list[socket.socket] = []

    class Late(serving.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            assert sockets is not None
            clients.extend(plug(sockets[0].getsockname()[1], ASK) for _ in range(20))
            await super().shutdown(sockets)

    async def body() -> None:
        async def nothing(port: int) -> None:
            return

        async with stopping(nothing):
            while not clients:
                await asyncio.sleep(0.01)
            replies = await asyncio.gather(*map(reply, clients))
        assert [said[:15] for said in replies] == ["HTTP/1.1 200 OK"] * 20
        for client in clients:
            client.close()

    monkeypatch.setattr(serving, "Server", Late)
    uvloop.run(body())


def test_a_kept_connection_is_answered_once_more_and_told_that_it_was_the_last() -> None:
    async def body() -> None:
        clients: list[socket.socket] = []

        async def use(port: int) -> None:
            clients.append(plug(port, ASK))
            assert "connection: close" not in await reply(clients[0])

        async with stopping(use):
            await asyncio.sleep(QUICK_S / 2)
            with clients[0] as client:
                client.sendall(ASK)
                assert "connection: close" in await reply(client)
                assert await reply(client) == ""

    uvloop.run(body())


def test_a_request_under_way_is_answered_as_the_last() -> None:
    async def body() -> None:
        clients: list[socket.socket] = []

        async def ask(port: int) -> None:
            clients.append(plug(port, ASK.replace(b"/", b"/slow", 1)))
            await asyncio.sleep(TAKES_S / 4)

        async with stopping(ask):
            with clients[0] as client:
                assert "connection: close" in await reply(client)

    uvloop.run(body())


@pytest.mark.thorough
def test_the_silent_are_let_go_and_the_next_are_refused() -> None:
    async def body() -> None:
        clients: list[socket.socket] = []

        async def connect(port: int) -> None:
            clients.append(plug(port))

        async with stopping(connect) as port:
            with clients[0] as client:
                assert await reply(client) == ""
            with pytest.raises(ConnectionRefusedError):
                plug(port)

    uvloop.run(body())
