"""What a connection may send before it says something, on the server that services run."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared import connections
from shared.process import listen
from shared.serving import build_server

HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n"
ASK = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
seen: list[dict[str, Any]] = []


async def web(scope: Any, receive: Any, send: Any) -> None:
    seen.append(scope)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    with listen("127.0.0.1", 0, "test") as listener:
        server = build_server(web)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.001)
        yield listener.getsockname()[1]
        server.should_exit = True
        await asyncio.wait_for(serving, 5)


async def said(port: int, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """All that comes back until the server closes, or is silent for two seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause_s)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while got := await asyncio.wait_for(reader.read(65_536), 2):
                heard += got
                if b"\r\n\r\nok" in heard:
                    break
    finally:
        writer.close()
    return heard


@pytest.mark.thorough
async def test_who_does_not_go_on_hears_408_and_who_asks_nothing_is_let_go(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PATIENCE_S", 0.1)
    begun = (
        [HEAD],
        [HEAD + b"content-length: 5\r\n\r\n", b"ab"],
        [HEAD + b"transfer-encoding: chunked\r\n\r\n", b"2\r\nab\r\n"],
        [b"\r\n"],  # no request, and no longer idle
    )
    began = asyncio.get_running_loop().time()

    *heard, nothing = await asyncio.gather(
        *(said(port, *parts, pause_s=0.01) for parts in (*begun, []))
    )

    assert asyncio.get_running_loop().time() - began < 1.9
    assert nothing == b""
    for each in heard:
        head, _, body = each.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in head
        assert json.loads(body)["status"] == 408


@pytest.mark.thorough
async def test_what_comes_buys_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE_S", 0.0)
    monkeypatch.setattr(connections, "SLOWEST_BYTES", 1_000)
    body = b"a" * 3_000

    heard = await said(port, HEAD + b"content-length: 3001\r\n\r\n" + body, b"a", pause_s=1.1)

    assert heard.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("bytes_", [20_000, 34_000])
async def test_a_head_has_its_size(port: int, bytes_: int) -> None:
    start = ASK[:-2]
    lines = b"".join(b"x-%d: %s\r\n" % (n, b"a" * 1_000) for n in range(bytes_ // 1_000))

    heard = await said(port, start + lines, b"\r\n" if bytes_ < connections.HEAD_BYTES else b"")

    expected = b"200" if bytes_ < connections.HEAD_BYTES else b"431"
    assert heard.split(b" ")[1] == expected


@pytest.mark.parametrize("writes", [1, 2])
async def test_trailers_are_no_headers(port: int, writes: int) -> None:
    seen.clear()
    body = b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n"
    parts = [HEAD + body, b"authorization: Bearer late\r\n\r\n"]

    heard = await said(port, *(parts if writes == 2 else [b"".join(parts)]), pause_s=0.05)

    assert heard.startswith(b"HTTP/1.1 200 ")
    assert b"authorization" not in dict(seen[0]["headers"])


async def test_a_silent_one_makes_room_and_who_waits_for_an_answer_does_not(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "most_connections", lambda: 2)
    silent, idle = await asyncio.open_connection("127.0.0.1", port)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"content-length: 2\r\n\r\n")  # under way
    await asyncio.sleep(0.05)

    third = await said(port, ASK)
    writer.write(b"ab")

    assert third.startswith(b"HTTP/1.1 200 ")
    assert await asyncio.wait_for(silent.read(10), 1) == b""
    assert (await asyncio.wait_for(reader.read(20), 1)).startswith(b"HTTP/1.1 200 ")
    writer.close()
    idle.close()


async def test_where_all_wait_one_more_is_let_go(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "most_connections", lambda: 1)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"content-length: 2\r\n\r\n")
    await asyncio.sleep(0.05)

    assert await said(port, ASK) == b""
    writer.close()


async def test_what_is_no_http_is_a_problem_too(port: int) -> None:
    heard = await said(port, b"\x16\x03\x01 hello\r\n\r\n")

    assert heard.startswith(b"HTTP/1.1 400 ")
    assert b"x-content-type-options: nosniff" in heard
    assert json.loads(heard.partition(b"\r\n\r\n")[2])["status"] == 400
