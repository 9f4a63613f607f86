"""Signed webhooks: the receiver's own library accepts them, and every answer is understood."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from shared.senders import SEND_WITHIN, SendFailed
from shared.senders.webhook import Delivery, Destination, WebhookSender, open_client

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
DELIVERY = Delivery("i-1", '{"question":"ตอบ"}'.encode())
Answer = (
    Callable[[httpx.Request], httpx.Response]
    | Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]
)


async def post(answer: Answer, *, within: timedelta = SEND_WITHIN) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        destination = Destination("https://hooks.example/in", SECRET)
        sender = WebhookSender(client, destination, lambda: datetime.now(UTC), within=within)
        await sender.send(DELIVERY)


async def test_the_receivers_library_accepts_the_signature_and_nothing_changed() -> None:
    seen: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    await post(take)

    (request,) = seen
    verify = Webhook(SECRET).verify
    assert verify(request.content, dict(request.headers)) == {"question": "ตอบ"}
    assert request.headers["webhook-id"] == "i-1"
    with pytest.raises(WebhookVerificationError):
        verify(request.content + b" ", dict(request.headers))


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        (301, False),
        (400, True),
        (403, False),
        (404, False),
        (408, False),
        (410, True),
        (413, True),
        (422, True),
        (429, False),
        (500, False),
        (503, False),
    ],
)
async def test_an_answer_says_whether_trying_again_helps(status: int, *, permanent: bool) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={"location": "https://elsewhere.example"})

    with pytest.raises(SendFailed) as caught:
        await post(answer)

    assert caught.value.permanent is permanent
    assert caught.value.gone is (status == 410)
    assert str(status) in caught.value.detail


async def test_no_connection_is_a_fault_for_now() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(SendFailed) as caught:
        await post(away)

    assert not caught.value.permanent


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    class Endless(httpx.AsyncByteStream):
        given = 0

        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                self.given += 65_536
                assert self.given < 1_000_000
                yield b"x" * 65_536

    await post(lambda _: httpx.Response(200, stream=Endless()))


async def test_the_client_follows_nothing_and_trusts_no_environment() -> None:
    async with open_client() as client:
        assert not client.follow_redirects
        assert not client.trust_env


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("ftp://hooks.example", SECRET),
        ("http://0177.0.0.1", SECRET),
        ("hooks.example", SECRET),
        ("https://hooks.example", ""),
        ("https://hooks.example", "whsec_not base64!"),
    ],
)
def test_a_destination_that_cannot_work_is_refused_at_once(url: str, secret: str) -> None:
    with pytest.raises(ValueError, match="webhook"):
        Destination(url, secret)


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(Destination("https://hooks.example", SECRET))


async def test_one_that_answers_drop_by_drop_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.senders.webhook._BODY_S", 0.05)

    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b"."
            await asyncio.sleep(0.01)

    async with asyncio.timeout(5):
        await post(lambda _: httpx.Response(200, content=drops()))  # it has taken the message


async def test_one_that_does_not_answer_is_left_for_now() -> None:
    async def wait(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return httpx.Response(200)

    with pytest.raises(SendFailed, match="could not be reached: TimeoutError") as caught:
        await post(wait, within=timedelta(seconds=0.05))
    assert not caught.value.permanent
