"""A reply in one piece says what two messages would, and steps back where those are needed."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.process import listen
from shared.replies import header_lines, offered, withdraw
from shared.serving import Server, build_server

HEADERS = ((b"content-type", b"text/plain"), (b"x-one", b"1"))
PAUSES_S = {"/slow": 0.02, "/slower": 0.25}  # a server looks ten times a second if it is to stop
taken: list[bool] = []
servers: list[Server] = []


async def web(scope: Any, receive: Any, send: Any) -> None:
    message = await receive()
    if scope["path"] == "/seen":
        withdraw(scope)
    await asyncio.sleep(PAUSES_S.get(scope["path"], 0))
    body = scope["path"].encode() + message["body"]
    whole = offered(scope)
    taken.append(whole is not None and whole(202, header_lines(HEADERS), body))
    if not taken[-1]:
        length = (b"content-length", b"%d" % len(body))
        headers = [*HEADERS, length]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    taken.clear()
    with listen("127.0.0.1", 0, "test") as listener:
        server = build_server(web)
        servers.append(server)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.001)
        yield listener.getsockname()[1]
        server.should_exit = True
        await asyncio.wait_for(serving, 5)


def ask(path: str, body: bytes = b"", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\n{more}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def said(port: int, asked: bytes, replies: int = 1) -> list[bytes]:
    """The replies, without the second in which each was given."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asked)
    heard = []
    async with asyncio.timeout(2):
        for _ in range(replies):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            assert length is not None
            body = await reader.readexactly(int(length[1]))
            heard.append(re.sub(rb"date: [^\r]*", b"date: .", head) + body)
    writer.close()
    return heard


async def test_it_says_what_two_messages_say(port: int) -> None:
    whole = await said(port, ask("/seat", b"ab"))
    apart = await said(port, ask("/seen", b"ab"))

    assert taken == [True, False]
    assert whole[0] == apart[0].replace(b"/seen", b"/seat")
    assert whole[0].startswith(b"HTTP/1.1 202 Accepted\r\ndate: .\r\ncontent-type: text/plain\r\n")
    assert whole[0].endswith(b"\r\n\r\n/seatab")


async def test_replies_come_in_the_order_of_their_requests(port: int) -> None:
    found = await said(port, ask("/slow", b"1") + ask("/b", b"2") + ask("/c", b"3"), replies=3)

    assert [each.rpartition(b"\r\n\r\n")[2] for each in found] == [b"/slow1", b"/b2", b"/c3"]
    assert taken == [True] * 3


async def test_the_last_reply_of_a_connection_says_so(port: int) -> None:
    (found,) = await said(port, ask("/a", more="connection: close\r\n"))

    assert taken == [False]
    assert b"\r\nconnection: close\r\n" in found


async def test_a_server_that_stops_says_so_in_its_last_reply(port: int) -> None:
    asked = asyncio.create_task(said(port, ask("/slower")))
    await asyncio.sleep(0.01)
    servers[-1].should_exit = True

    (found,) = await asked

    assert taken == [False]
    assert b"\r\nconnection: close\r\n" in found
